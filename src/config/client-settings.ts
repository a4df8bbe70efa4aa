/** What the commands that talk to a server read from the environment. Knows no flag. */

/** The server's URL; undefined if the variable is not set or empty. */
export function urlFromEnvironment(): string | undefined {
  return process.env.EXECWIRE_URL || undefined;
}

/** The credential. */
export function tokenFromEnvironment(): string | undefined {
  return process.env.EXECWIRE_TOKEN || undefined;
}

/** What the launcher of the runtime folder puts before the names of variables that Node must not see. */
const ASIDE = 'EXECWIRE_ASIDE_';

/** A variable that this program was started with, for `-e NAME` and `TERM`. */
export function ownVariable(name: string): string | undefined {
  return process.env[name] ?? process.env[`${ASIDE}${name}`];
}

/** The runtime folder that this program runs from; undefined without one. */
export function runtimeFolder(): string | undefined {
  return process.env.EXECWIRE_RUNTIME || undefined;
}

/** Where the server on this host listens, as `serve` reads it. */
export function listenFromEnvironment(): string | undefined {
  return process.env.EXECWIRE_LISTEN || undefined;
}

/** Whether that server has a certificate. */
export function hasTlsByEnvironment(): boolean {
  return (process.env.EXECWIRE_TLS_CERT ?? '') !== '';
}

/** Whether colours may be shown on a terminal. @see https://no-color.org */
export function mayColour(): boolean {
  const { NO_COLOR, TERM } = process.env;
  return (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
}
