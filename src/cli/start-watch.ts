/** Watches whether a command waits for a server that takes it, because the first one drains. Knows no flag and no output. */
import type { Run, Terminal } from '../../client/src/node.js';
import type { Connection } from './connection.js';

/** Milliseconds before a wait is told: another server mostly takes the command before. */
const SILENCE_MS = 1_000;

/** The start of one command. */
export class StartWatch {
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isWaiting = false;

  constructor(run: Run | Terminal, connection: Connection) {
    this.#stopListening = connection.box.onStatus(({ state }) => {
      if (state !== 'draining') return;
      this.#stopListening();
      this.#isWaiting = true;
      this.#timer = setTimeout(
        () => connection.tell('the server drains and takes no new command; trying on'),
        SILENCE_MS,
      );
      const stop = (): void => this.stop();
      // At once where it runs already.
      run.started.then(stop, stop);
    });
  }

  /** Whether no server has taken the command yet, although one was asked. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** The wait is over. */
  stop(): void {
    this.#isWaiting = false;
    clearTimeout(this.#timer);
    this.#stopListening();
  }
}
