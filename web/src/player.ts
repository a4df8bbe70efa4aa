/** Plays a recording on a terminal, with a bar to stop it, to speed it up and to go to any place of it. Knows no connection. */
import type { TerminalSize } from '../../client/src/browser.js';
import { type Cast, type CastEvent, sizeOf } from './asciicast.js';
import { button, element } from './element.js';
import { TerminalScreen } from './terminal-screen.js';

/** Seconds of a pause that are played; a longer one is cut to this. */
const LONGEST_PAUSE_S = 2;
const SPEEDS = [1, 2, 4, 8];
/** Characters of output that are shown together. */
const JOINED_CHARACTERS = 64 * 1024;
/** Milliseconds of a long jump after which the rest of the page has its turn. */
const SLICE_MS = 30;

/** A recording in a tab. */
export class Player {
  readonly screen: TerminalScreen;
  readonly #cast: Cast;
  readonly #events: readonly CastEvent[];
  readonly #lengthS: number;
  readonly #play = button('Pause', () => (this.#timer === undefined ? this.#start() : this.#pause()));
  readonly #place: HTMLInputElement;
  readonly #time = element('span', { class: 'time' });
  /** The event that is shown next, and the second at which the player is. */
  #next = 0;
  #nowS = 0;
  #speed = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = Promise.resolve();

  /** @param id of the panel @param onNotice the user should know something */
  constructor(id: string, cast: Cast, onNotice: (text: string) => void) {
    this.#cast = cast;
    this.#events = withShortPauses(cast.events);
    this.#lengthS = this.#events.at(-1)?.at ?? 0;
    this.screen = new TerminalScreen(id, {
      onTyped() {},
      onResize() {},
      onTitle() {},
      onBell() {},
      onNotice,
    });
    this.screen.isObserver = true;
    this.screen.fixSize(cast);
    this.#place = element('input', {
      'aria-label': 'Place in the recording, in seconds',
      type: 'range',
      min: '0',
      max: String(Math.max(this.#lengthS, 0.1)),
      step: '0.1',
      value: '0',
    });
    this.#place.addEventListener('input', () => void this.seek(this.#place.valueAsNumber));
    const speed = element(
      'select',
      { 'aria-label': 'Speed' },
      SPEEDS.map((times) => element('option', { value: String(times) }, [`${times}×`])),
    );
    speed.addEventListener('change', () => {
      this.#speed = Number(speed.value);
      if (this.#timer !== undefined) this.#start();
    });
    this.screen.element.prepend(
      element('div', { class: 'player', role: 'group', 'aria-label': 'Recording' }, [
        this.#play,
        this.#place,
        this.#time,
        speed,
      ]),
    );
    this.screen.onDispose(() => this.#stopTimer());
    this.#start();
  }

  /** Shows the recording as it is at a second. */
  async seek(second: number): Promise<void> {
    const wasPlaying = this.#timer !== undefined;
    this.#stopTimer();
    if (second < this.#nowS) this.#rewind();
    this.#nowS = second;
    await this.#showUntilNow();
    if (wasPlaying) this.#start();
    else this.#tell();
  }

  #start(): void {
    if (this.#next >= this.#events.length && this.#events.length > 0 && this.#nowS >= this.#lengthS) this.#rewind();
    this.#stopTimer();
    this.#schedule();
    this.#tell();
  }

  /** Goes to the beginning, with an empty screen. */
  #rewind(): void {
    this.#next = 0;
    this.#nowS = 0;
    this.screen.xterm.reset();
    this.screen.fixSize(this.#cast);
  }

  #pause(): void {
    this.#stopTimer();
    this.#tell();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    const event = this.#events[this.#next];
    if (event === undefined) {
      this.#stopTimer();
      this.#nowS = this.#lengthS;
      this.#tell();
      return;
    }
    const waitMs = Math.max(0, ((event.at - this.#nowS) * 1000) / this.#speed);
    this.#timer = setTimeout(() => {
      this.#nowS = event.at;
      void this.#showUntilNow().then(() => {
        if (this.#timer !== undefined) this.#schedule();
      });
    }, waitMs);
  }

  /** Shows everything up to now, one call behind the other. */
  #showUntilNow(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      let size: TerminalSize | undefined;
      let text = '';
      const flush = async (): Promise<void> => {
        const joined = text;
        text = '';
        if (joined !== '') await this.screen.write(joined);
      };
      let sliceFromMs = performance.now();
      for (;;) {
        const event = this.#events[this.#next];
        if (event === undefined || event.at > this.#nowS) break;
        this.#next += 1;
        if (event.kind === 'r') {
          await flush();
          // Of several sizes only the last is seen, and each costs as much as a screen.
          size = sizeOf(event.data) ?? size;
          continue;
        }
        if (size !== undefined) this.screen.fixSize(size);
        size = undefined;
        text += event.data;
        // Each write waits for a timer.
        if (text.length >= JOINED_CHARACTERS) await flush();
        if (performance.now() - sliceFromMs < SLICE_MS) continue;
        await new Promise((resolve) => setTimeout(resolve));
        sliceFromMs = performance.now();
      }
      await flush();
      if (size !== undefined) this.screen.fixSize(size);
      this.#tell();
    });
    return this.#turn;
  }

  #tell(): void {
    this.#play.textContent = this.#timer === undefined ? 'Play' : 'Pause';
    this.#place.value = String(this.#nowS);
    this.#time.textContent = `${this.#nowS.toFixed(0)} of ${this.#lengthS.toFixed(0)} s`;
  }
}

/** The events with pauses that nobody wants to sit through made shorter. */
function withShortPauses(events: readonly CastEvent[]): CastEvent[] {
  let cut = 0;
  let last = 0;
  return events.map((event) => {
    cut += Math.max(0, event.at - last - LONGEST_PAUSE_S);
    last = event.at;
    return { ...event, at: event.at - cut };
  });
}
