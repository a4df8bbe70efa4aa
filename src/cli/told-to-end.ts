/** The signals that tell this program to end: who handles them while a command runs, and how long a last request may take. Knows no command. */

/** Those that a shell, a terminal or a supervisor sends. */
export const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const satisfies readonly NodeJS.Signals[];
export type EndSignal = (typeof END_SIGNALS)[number];
/**
 * Further signals that end a program by default. Where the local terminal is changed they are handled, too, because it must be given back first.
 * Node has no listeners for SIGKILL and real-time signals; and after SIGSEGV, SIGBUS, SIGFPE or SIGILL no code of this program can be trusted.
 * SIGPIPE and SIGUSR1 do not end this program.
 */
const OTHER_END_SIGNALS = [
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGSYS',
  'SIGABRT',
  'SIGTRAP',
  'SIGPWR',
  'SIGSTKFLT',
] as const satisfies readonly NodeJS.Signals[];

/** Milliseconds that the server has to answer a last request before this program ends without the answer. */
export const LAST_WORDS_MS = 2_000;
/** Milliseconds within which a second signal counts as the first: a terminal sends one, and npm sends the same again. */
const SAME_SIGNAL_MS = 250;

/** Calls back with each signal, in place of ending. @returns gives them back */
export function takeEndSignals(onSignal: (signal: EndSignal) => void): () => void {
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of END_SIGNALS) process.off(signal, onSignal);
  };
}

/** The same with every signal that would end this program and can be handled, for one that has changed its terminal. @returns gives them back */
export function takeAllEndSignals(onSignal: (signal: NodeJS.Signals) => void): () => void {
  const giveBack = takeEndSignals(onSignal);
  for (const signal of OTHER_END_SIGNALS) process.on(signal, onSignal);
  return () => {
    giveBack();
    for (const signal of OTHER_END_SIGNALS) process.off(signal, onSignal);
  };
}

/** Waits for the answer to a last request. @returns whether there was one in time; a refusal is one, too */
export async function isAnsweredInTime(request: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), LAST_WORDS_MS);
  });
  const answered = request.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([answered, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Tells a second signal, by which somebody insists, from one that only came twice. */
export class Insistence {
  #firstAtMs: number | undefined;

  /** @returns whether somebody insists. A hangup never does: a terminal that closes may send several. */
  isInsisting(signal: NodeJS.Signals): boolean {
    const nowMs = performance.now();
    this.#firstAtMs ??= nowMs;
    return signal !== 'SIGHUP' && nowMs - this.#firstAtMs >= SAME_SIGNAL_MS;
  }

  /** The server has answered: the next signal is a first one again. */
  reset(): void {
    this.#firstAtMs = undefined;
  }
}
