/** Which folders a sandbox lets be changed, for requests about files. Touches no file. */
import type { SandboxChoice } from '../command-exec/sandbox-request.js';

/** @param tmpdir TMPDIR of commands @returns undefined for everything */
export function writableRootsOf(choice: SandboxChoice, tmpdir: string | undefined): readonly string[] | undefined {
  if (choice.type === 'unconfined') return undefined;
  if (choice.type === 'readOnly') return [];
  const temporary = [...(choice.excludeSlashTmp ? [] : ['/tmp'])];
  if (!choice.excludeTmpdirEnvVar && tmpdir !== undefined) temporary.push(tmpdir);
  return [...choice.writableRoots, ...temporary];
}
