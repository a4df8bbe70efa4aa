/** The button that begins and ends the recording of a terminal. */
import { button } from './element.js';
import { download, Recorder } from './recorder.js';
import type { TerminalScreen } from './terminal-screen.js';

/** @param titleOf the name of the file, without its ending */
export function recordButton(screen: TerminalScreen, titleOf: () => string): HTMLButtonElement {
  let recorder: Recorder | undefined;
  /** The browser asks before it leaves or loads the page, because the recording would be lost. */
  const askFirst = (event: BeforeUnloadEvent): void => event.preventDefault();
  const show = (): void => {
    made.setAttribute('aria-pressed', String(recorder !== undefined));
    if (recorder === undefined) window.removeEventListener('beforeunload', askFirst);
    else window.addEventListener('beforeunload', askFirst);
  };
  const stop = (): void => {
    const file = recorder?.stop();
    recorder = undefined;
    show();
    if (file !== undefined) download(file, `${titleOf().replace(/[^\w.-]+/g, '-')}.cast`);
  };
  const start = (): void => {
    recorder = new Recorder(screen, titleOf(), () => {
      screen.notify('The recording has ended, because it is as long as it may be.');
      stop();
    });
    show();
  };
  const made = button('Record', () => (recorder === undefined ? start() : stop()), {
    class: 'tool',
    'aria-pressed': 'false',
  });
  screen.onDispose(stop);
  return made;
}
