/** The JSON document of a command's end. Knows no server. */
import type { Result } from '../../client/src/result.js';

/** Every field is there: what nobody told is null. */
export function resultDocument(result: Result): object {
  const { command, exitCode = null, signal = null, timedOut, cause, durationMs, truncated, stdout, stderr } = result;
  return { command, exitCode, signal, timedOut, cause, durationMs, truncated, stdout, stderr };
}
