/** Says whether two requests are for the same command. Knows no process. */
import type { ExecRequest } from './exec-request.js';

/** Equal for two requests exactly if program, arguments, directory, environment (in any order) and the kind of streams are the same. */
export function commandIdentity({ argv, env, tty }: ExecRequest, cwd: string): string {
  const variables = Object.entries(env).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([argv, cwd, variables, tty !== undefined]);
}
