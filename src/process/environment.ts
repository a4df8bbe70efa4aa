/**
 * Builds the environment of a child: inherited variables, the request's on top, and the mark by which a kill finds what has left
 * the group and the session. It knows nothing of how a process is started.
 */

import { readFileSync } from 'node:fs';
import type { Environment } from './os-process.js';

/** Variable that marks everything a command starts; its value is the server's random id, a dot and the command's number. */
export const MARKER_VARIABLE = 'EXECWIRE_COMMAND_ID';

/** A PTY whose environment names no terminal type gets this one: what every client of today understands. */
const DEFAULT_TERM = 'xterm-256color';

/** Variables that are the server's own affair: its secrets, its telemetry, its supervisor's sockets. Never inherited. */
const SERVER_OWN = [
  'EXECWIRE_*',
  'OTEL_*',
  'NODE_CHANNEL_*',
  'NODE_UNIQUE_ID',
  'NOTIFY_SOCKET',
  'WATCHDOG_*',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PID',
];

/** What a decoder puts in place of bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

export interface ChildEnvironmentOptions {
  /** Of the request: a string sets, null unsets. */
  readonly overrides: Readonly<Record<string, string | null>>;
  /** Value of `EXECWIRE_COMMAND_ID`. A request cannot change it. */
  readonly marker: string;
  /** Whether the child gets a terminal. */
  readonly tty: boolean;
  /** Patterns (`*` stands for any text) of inherited names to keep. Default: all. */
  readonly allow?: readonly string[];
  /** Patterns of inherited names to drop, also of those kept by `allow`. Default: none. */
  readonly deny?: readonly string[];
  /** What is inherited. Default: the server's own environment. */
  readonly inherited?: Readonly<Record<string, string | Uint8Array | undefined>>;
}

/** Where the C library looks for programs on behalf of the server: its PATH at the moment. */
export function serverPath(): string | undefined {
  return process.env.PATH;
}

/** Limit of descriptors that the server was given, which Node has raised since; undefined where the installed program did not pass it on. */
export function givenDescriptorLimit(): number | undefined {
  const given = process.env.EXECWIRE_DESCRIPTOR_LIMIT;
  return given !== undefined && /^[1-9]\d*$/.test(given) ? Number(given) : undefined;
}

/** The complete environment of a child. `allow` and `deny` never touch what the request sets. */
export function childEnvironment(options: ChildEnvironmentOptions): Environment {
  return environmentOver(inheritedEnvironment(options), options);
}

/** What every child inherits. A server makes it once: reading and matching the variables took 0.1 ms a command. */
export function inheritedEnvironment(
  options: Pick<ChildEnvironmentOptions, 'allow' | 'deny' | 'inherited'>,
): Environment {
  const { allow, deny, inherited = ownEnvironment() } = options;
  // No prototype: `__proto__` is a variable name like any other.
  const environment: Record<string, string | Uint8Array> = Object.create(null);
  for (const [name, value] of Object.entries(inherited)) {
    if (value === undefined || matchesAny(name, SERVER_OWN)) continue;
    if (allow !== undefined && allow.length > 0 && !matchesAny(name, allow)) continue;
    if (deny !== undefined && matchesAny(name, deny)) continue;
    environment[name] = value;
  }
  return environment;
}

/** The environment of one child over what every child inherits. */
export function environmentOver(
  inherited: Environment,
  options: Pick<ChildEnvironmentOptions, 'overrides' | 'marker' | 'tty'>,
): Environment {
  const { overrides, marker, tty } = options;
  // No prototype, and the marker first: the `grep` of busybox, which a guardian may have, looks at the first line of an environment only.
  const environment: Record<string, string | Uint8Array> = Object.create(null);
  environment[MARKER_VARIABLE] = marker;
  Object.assign(environment, inherited);
  for (const [name, value] of Object.entries(overrides)) {
    if (name === MARKER_VARIABLE) continue;
    if (value === null) delete environment[name];
    else environment[name] = value;
  }
  if (tty && environment.TERM === undefined) environment.TERM = DEFAULT_TERM;
  return environment;
}

/** The server's own variables. Node shows bytes that are no UTF-8 as U+FFFD: those variables are looked up as they were given. */
function ownEnvironment(): Environment {
  const environment: Record<string, string | Uint8Array> = Object.create(null);
  let isLossy = false;
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined) continue;
    environment[name] = value;
    isLossy ||= name.includes(REPLACEMENT) || value.includes(REPLACEMENT);
  }
  if (isLossy) for (const variable of givenVariables()) restoreBytes(environment, variable);
  return environment;
}

/** The variables this process was started with, each as `NAME=value`; none where there is no /proc. */
function givenVariables(): Buffer[] {
  try {
    const all = readFileSync('/proc/self/environ');
    const variables: Buffer[] = [];
    for (let from = 0; from < all.length; ) {
      const end = all.indexOf(0, from);
      variables.push(all.subarray(from, end < 0 ? all.length : end));
      from = end < 0 ? all.length : end + 1;
    }
    return variables;
  } catch {
    return [];
  }
}

/** Puts the bytes in place of the text that Node made of them, unless the variable has been set to something else since. */
function restoreBytes(environment: Record<string, string | Uint8Array>, variable: Buffer): void {
  const text = variable.toString();
  if (Buffer.from(text).equals(variable)) return;
  const sign = text.indexOf('=', 1);
  const name = text.slice(0, sign);
  if (environment[name] === text.slice(sign + 1)) environment[name] = variable;
}

function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matches(name, pattern));
}

/** Matches piece by piece, so that no pattern can make it slow. */
function matches(name: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first)) return false;
  let position = first.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  return name.length - last.length >= position && name.endsWith(last);
}
