/** The flags that `exec` and `shell` share: how a command starts and how long it is kept. Knows no session. */
import { fieldOf } from '../../client/src/errors.js';
import type { CommonOptions, DetachableOptions } from '../../client/src/node.js';
import type { Flag } from './command.js';
import { commandEnvironment, ENVIRONMENT_FLAGS } from './command-environment.js';
import type { Connection } from './connection.js';
import { CliError } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import { SANDBOX_FLAGS, type SandboxPolicy, sandboxPolicy } from './sandbox-flags.js';

const KEY_FLAG: Flag = {
  name: 'key',
  placeholder: 'KEY',
  description: 'Keeps it under this name, 16 to 128 of A-Za-z0-9._~-; the same line again attaches to it.',
};

/** What `exec` and `shell` both have, but for how long a command is kept. */
const COMMON_FLAGS: readonly Flag[] = [
  ...ENVIRONMENT_FLAGS,
  {
    name: 'workdir',
    short: 'w',
    placeholder: 'DIR',
    description: "Directory to run it in; a relative one begins at the server's.",
  },
  ...SANDBOX_FLAGS,
  KEY_FLAG,
];

/** The flags of `exec`. */
export const START_FLAGS: readonly Flag[] = [
  ...COMMON_FLAGS,
  {
    name: 'ttl',
    placeholder: 'TIME',
    description:
      'With -d, -t or --key: how long it is kept with nobody attached. Default 1h; with -t alone 60s. A bare number is seconds.',
  },
];

/** The flags of `shell`. */
export const SHELL_FLAGS: readonly Flag[] = [
  ...COMMON_FLAGS,
  {
    name: 'ttl',
    placeholder: 'TIME',
    description: 'How long it is kept with nobody attached. Default 60s; with --key 1h.',
  },
];

/** Milliseconds that a command with `-d` or `--key` is kept by default. */
const KEPT_TTL_MS = 3_600_000;
const KEY = /^[A-Za-z0-9._~-]{16,128}$/;

/** Whether a text can be the key of a command. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** The options that commands on pipes and in terminals have. */
export type StartOptions = Pick<CommonOptions, 'cwd' | 'env' | 'timeout'> & { readonly sandboxPolicy?: SandboxPolicy };

/** @throws {CliError} */
export function startOptions(given: GivenFlags): StartOptions {
  const cwd = given.text('workdir');
  const timeout = given.durationMs('timeout');
  const policy = sandboxPolicy(given);
  if (timeout === 0)
    throw new CliError(
      `--timeout ${given.text('timeout')}: expected a time above 0; without the flag there is no limit`,
    );
  return {
    env: commandEnvironment(given),
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(policy === undefined ? {} : { sandboxPolicy: policy }),
  };
}

/** Whether the command goes on without this program. @throws {CliError} */
export function isKept(given: GivenFlags, { isTerminal }: { readonly isTerminal: boolean }): boolean {
  const key = given.text('key');
  if (key !== undefined && !isKey(key))
    throw new CliError(
      `--key ${key}: expected 16 to 128 of A-Za-z0-9._~-, so that no other command has the same key by chance`,
    );
  const kept = given.has('detach') || key !== undefined || (isTerminal && given.has('ttl'));
  if (given.has('ttl') && !kept) throw new CliError('--ttl needs -d, -t or --key');
  if (given.durationMs('ttl') === 0) throw new CliError(`--ttl ${given.text('ttl')}: expected a time above 0`);
  if (kept && given.has('no-reconnect')) throw new CliError('--no-reconnect contradicts -d, --key and --ttl');
  return kept;
}

/** How such a command is kept. @throws {CliError} where the server keeps none */
export function keepingOptions(
  given: GivenFlags,
  connection: Connection,
): DetachableOptions & { readonly ttl: number } {
  const { limits } = connection.box.server;
  if (!connection.keepsCommands) throw new CliError('this server keeps no commands: leave -d, --key and --ttl out');
  const said = fieldOf(limits, 'maxDetached');
  // 0 stands for no ceiling.
  const ceilingMs = typeof said === 'number' && said > 0 ? said : Number.POSITIVE_INFINITY;
  const key = given.text('key');
  const ttl = given.durationMs('ttl') ?? Math.min(KEPT_TTL_MS, ceilingMs);
  if (ttl > ceilingMs) {
    throw new CliError(
      `--ttl ${given.text('ttl')}: this server keeps commands for ${ceilingMs / 1000} s at most (its --max-detached)`,
    );
  }
  // `drop`: nobody is there to read, and the command must not stand still.
  return { ttl, whenFull: 'drop', ...(key === undefined ? {} : { key }) };
}
