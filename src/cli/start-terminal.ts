/** Starts a program in a remote terminal and shows it, for `exec -t` and `shell`. Knows no program. */
import { ownVariable } from '../config/client-settings.js';
import type { Flag } from './command.js';
import type { Connection } from './connection.js';
import type { GivenFlags } from './given-flags.js';
import { LocalTerminal } from './local-terminal.js';
import { sayOnRawTerminal } from './say.js';
import { keepingOptions, type StartOptions } from './start-options.js';
import { StartWatch } from './start-watch.js';
import { showTerminal } from './terminal-session.js';
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from './typed-keys.js';

export const TERMINAL_FLAGS: readonly Flag[] = [
  {
    name: 'detach-keys',
    placeholder: 'KEYS',
    description: `Keys that detach, such as ctrl-a,d; empty for none. Default ${DEFAULT_DETACH_KEYS}.`,
  },
];

/** The server's default time for commands that outlive a connection. */
const DEFAULT_TTL_MS = 60_000;

/** @throws {CliError} */
export function detachKeysOf(given: GivenFlags): Buffer {
  return parseDetachKeys(given.text('detach-keys') ?? DEFAULT_DETACH_KEYS);
}

/** @returns the exit code */
export async function openTerminal(
  given: GivenFlags,
  connection: Connection,
  command: readonly string[],
  how: {
    readonly start: StartOptions;
    readonly kept: boolean;
    readonly input: 'types' | 'ignores';
  },
): Promise<number> {
  const { start, kept, input } = how;
  const detachKeys = detachKeysOf(given);
  const keeping = kept ? keepingOptions(given, connection) : undefined;
  const term = ownVariable('TERM');
  const terminal = connection.box.terminal(command, {
    ...start,
    // The program draws for the local terminal.
    env: { ...(term === undefined ? {} : { TERM: term }), ...start.env },
    ...LocalTerminal.size(),
    redraw: true,
    ...(given.has('no-reconnect') ? { detachable: false } : {}),
    ...(keeping === undefined ? {} : { detachable: keeping }),
  });
  const mayBeKept = connection.keepsCommands && !given.has('no-reconnect');
  if (mayBeKept) {
    const noteWhenOrdinary = (): void => {
      if (terminal.key === undefined)
        sayOnRawTerminal('the server has no room to keep output: this command ends with its connection');
    };
    void terminal.started.then(noteWhenOrdinary, () => {});
  }
  const ttlMs = keeping?.ttl ?? DEFAULT_TTL_MS;
  const whenToldToEnd = kept ? 'survivesHangup' : 'ends';
  const watch = new StartWatch(terminal, connection);
  try {
    const isStartWaiting = (): boolean => watch.isWaiting;
    return await showTerminal(terminal, connection, { detachKeys, input, whenToldToEnd, ttlMs, isStartWaiting });
  } finally {
    watch.stop();
  }
}
