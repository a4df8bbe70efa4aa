/** What the commands that talk to a server read from the environment. Knows no flag. */

/** The server's URL; undefined if the variable is not set or empty. */
export function urlFromEnvironment(): string | undefined {
  return process.env.EXECWIRE_URL || undefined;
}

/** The credential. */
export function tokenFromEnvironment(): string | undefined {
  return process.env.EXECWIRE_TOKEN || undefined;
}

/** A variable of this process, for `-e NAME` and `TERM`. */
export function ownVariable(name: string): string | undefined {
  return process.env[name];
}

/** Whether colours may be shown on a terminal. @see https://no-color.org */
export function mayColour(): boolean {
  const { NO_COLOR, TERM } = process.env;
  return (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
}
