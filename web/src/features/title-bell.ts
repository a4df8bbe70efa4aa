/** What a program tells of itself: its title and its bell. Knows no tab. */
import type { Settings } from '../settings.js';
import type { TerminalView } from '../terminal-view.js';
import { titleText } from './title-text.js';

/** Length, pitch and loudness of the sound: short and soft. */
const SOUND_SECONDS = 0.12;
const SOUND_HERTZ = 660;
const SOUND_GAIN = 0.08;
/** A program can ring thousands of times a second. */
const RING_INTERVAL_MS = 500;

/** Adds both. */
export function addTitleAndBell(view: TerminalView, settings: Settings): void {
  view.xterm.onTitleChange((title) => view.showTitle(titleText(title)));
  let rangAt = Number.NEGATIVE_INFINITY;
  view.xterm.onBell(() => {
    const now = performance.now();
    if (now - rangAt < RING_INTERVAL_MS) return;
    rangAt = now;
    view.showBell();
    const bell = settings.get('bell');
    if (bell === 'flash') flash(view.element);
    if (bell === 'sound') void sound();
  });
}

/** Marks the terminal for a moment. The style says how, and shows no motion where the user wants none. */
function flash(panel: HTMLElement): void {
  panel.classList.remove('rings');
  // Reading the width ends the earlier animation, so that it starts anew.
  void panel.offsetWidth;
  panel.classList.add('rings');
  panel.addEventListener('animationend', () => panel.classList.remove('rings'), { once: true });
}

let audio: AudioContext | undefined;

/** Silent until the user has used the page: browsers want it so. */
async function sound(): Promise<void> {
  audio ??= new AudioContext();
  const { currentTime, destination } = audio;
  const tone = new OscillatorNode(audio, { frequency: SOUND_HERTZ });
  tone.connect(new GainNode(audio, { gain: SOUND_GAIN })).connect(destination);
  tone.start(currentTime);
  tone.stop(currentTime + SOUND_SECONDS);
}
