/** The signals that tell this program to end, and who takes them over while a command runs. Knows no command. */

/** Those that a shell, a terminal or a supervisor sends. */
export const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const satisfies readonly NodeJS.Signals[];
export type EndSignal = (typeof END_SIGNALS)[number];

/** Calls back with each signal, in place of ending. @returns gives them back */
export function takeEndSignals(onSignal: (signal: EndSignal) => void): () => void {
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of END_SIGNALS) process.off(signal, onSignal);
  };
}
