/**
 * Builds the environment of a child: inherited variables, those of the request, and the mark by which a kill finds processes that have left the group
 * and the session. It knows nothing of how a process is started.
 */

import { readFileSync } from 'node:fs';
import type { Environment } from './os-process.js';

/** Variable that marks everything a command starts; its value is the server's random id, a dot and the command's number. */
export const MARKER_VARIABLE = 'EXECWIRE_COMMAND_ID';

/** Terminal type of a PTY whose environment names none. Every current client understands it. */
const DEFAULT_TERM = 'xterm-256color';

/** Variables of the server itself: its secrets, its telemetry, its supervisor's sockets. Never inherited. */
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

/**
 * What the launcher of the runtime folder (`launcher/launch.c`) puts before the names of variables that Node must not see, such as NODE_OPTIONS. They
 * are the image's, so commands get them back.
 */
const ASIDE = 'EXECWIRE_ASIDE_';

/** The character that a decoder writes for bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

export interface ChildEnvironmentOptions {
  /** Variables of the request: a string sets, null removes. */
  readonly overrides: Readonly<Record<string, string | null>>;
  /** Value of `EXECWIRE_COMMAND_ID`. A request cannot change it. */
  readonly marker: string;
  /** Whether the child gets a terminal. */
  readonly tty: boolean;
  /** Patterns (`*` stands for any text) of inherited names to keep. Default: all. */
  readonly allow?: readonly string[];
  /** Patterns of inherited names to drop; applied after `allow`. Default: none. */
  readonly deny?: readonly string[];
  /** The variables to inherit from. Default: the server's own environment. */
  readonly inherited?: Readonly<Record<string, string | Uint8Array | undefined>>;
}

/** The PATH in which the C library looks for programs on behalf of the server. */
export function serverPath(): string | undefined {
  return process.env.PATH;
}

/** The limit of descriptors that the server was given, before Node raised it; undefined if the installed program did not pass it on. */
export function givenDescriptorLimit(): number | undefined {
  const given = process.env.EXECWIRE_DESCRIPTOR_LIMIT;
  return given !== undefined && /^[1-9]\d*$/.test(given) ? Number(given) : undefined;
}

/** Path of the launcher that started this program from a runtime folder; undefined without one. It stands in for programs that an image may lack. */
export function runtimeLauncher(): string | undefined {
  const folder = process.env.EXECWIRE_RUNTIME;
  return folder === undefined || folder === '' ? undefined : `${folder}/bin/execwire`;
}

/** The inherited part of every child's environment. A server builds it once: reading and matching the variables took 0.1 ms a command. */
export function inheritedEnvironment(
  options: Pick<ChildEnvironmentOptions, 'allow' | 'deny' | 'inherited'>,
): Environment {
  const { allow, deny, inherited = ownEnvironment() } = options;
  // No prototype, because `__proto__` is a variable name like any other.
  const environment: Record<string, string | Uint8Array> = Object.create(null);
  for (const [given, value] of Object.entries(inherited)) {
    const name = given.startsWith(ASIDE) ? given.slice(ASIDE.length) : given;
    if (value === undefined || name === '' || matchesAny(name, SERVER_OWN)) continue;
    if (allow !== undefined && allow.length > 0 && !matchesAny(name, allow)) continue;
    if (deny !== undefined && matchesAny(name, deny)) continue;
    environment[name] = value;
  }
  return environment;
}

/** The environment of one child: the inherited part, with the request's variables over it. */
export function environmentOver(
  inherited: Environment,
  options: Pick<ChildEnvironmentOptions, 'overrides' | 'marker' | 'tty'>,
): Environment {
  const { overrides, marker, tty } = options;
  // No prototype, because `__proto__` is a variable name like any other. The marker comes first: a guardian may use the `grep` of busybox, which
  // looks only at the first line of an environment.
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

/** The server's own variables. Node shows bytes that are not UTF-8 as U+FFFD, so those variables are read as they were given. */
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

/** The variables this process was started with, each as `NAME=value`; none without /proc. */
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

/** Restores the bytes of a variable that Node turned into text, unless the variable has been changed since. */
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
