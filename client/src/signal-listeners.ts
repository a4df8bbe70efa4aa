/** Lets one `AbortSignal` serve any number of commands, without a warning of Node. Not in the package for browsers. Knows no command. */
import { setMaxListeners } from 'node:events';

/** Node warns of a leak at the eleventh listener of a signal. Each command takes its own away at its end, so there is none. */
export function allowManyListeners(signal: unknown): void {
  if (signal instanceof EventTarget) setMaxListeners(0, signal);
}
