/** Makes the variables that `env` of a start is put over, from its policy and what commands get of the server's environment. Knows no process. */
import type { Environment } from '../../process/os-process.js';
import type { ExecServerParams } from '../../protocol/methods/exec-server.js';

type EnvPolicy = NonNullable<ExecServerParams<'process/start'>['envPolicy']>;

/** What `core` keeps, by name. */
const CORE = new Set([
  'HOME',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'LOGNAME',
  'PATH',
  'SHELL',
  'TEMP',
  'TMP',
  'TMPDIR',
  'USER',
]);
/** Names that most likely hold a credential. */
const DEFAULT_EXCLUDES = ['*KEY*', '*SECRET*', '*TOKEN*'];

/**
 * Without a policy there is nothing, because `env` is then the whole environment.
 * @param server what commands get of the server's environment; its secrets are not among it
 */
export function baseEnvironment(policy: EnvPolicy | null | undefined, server: Environment): Environment {
  // No prototype, because `__proto__` is a variable name like any other.
  const environment: Record<string, string | Uint8Array> = Object.create(null);
  if (policy == null) return environment;
  const isExcluded = matcher([...policy.exclude, ...(policy.ignoreDefaultExcludes ? [] : DEFAULT_EXCLUDES)]);
  const isIncluded = policy.includeOnly.length === 0 ? () => true : matcher(policy.includeOnly);
  for (const [name, value] of Object.entries(server)) {
    if (policy.inherit === 'none' || (policy.inherit === 'core' && !CORE.has(name))) continue;
    if (!isExcluded(name)) environment[name] = value;
  }
  for (const [name, value] of Object.entries(policy.set)) environment[name] = value;
  for (const name of Object.keys(environment)) if (!isIncluded(name)) delete environment[name];
  return environment;
}

function matcher(patterns: readonly string[]): (name: string) => boolean {
  const lower = patterns.map((pattern) => pattern.toLowerCase());
  return (name) => {
    const text = name.toLowerCase();
    return lower.some((pattern) => matches(text, pattern));
  };
}

/** Whether a text is what a pattern says: `*` is any text, `?` one character. Its time grows with the product of both lengths at most. */
function matches(text: string, pattern: string): boolean {
  let at = 0;
  let place = 0;
  /** Where to go on when the text behind the last star does not fit. */
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    if (pattern[place] === '*') {
      star = place;
      starAt = at;
      place += 1;
    } else if (pattern[place] === '?' || pattern[place] === text[at]) {
      at += 1;
      place += 1;
    } else if (star >= 0) {
      starAt += 1;
      at = starAt;
      place = star + 1;
    } else return false;
  }
  while (pattern[place] === '*') place += 1;
  return place === pattern.length;
}
