/** Finds out the process number of a command that was started. Knows no output. */
import { RpcError } from './errors.js';
import type { Clock } from './platform.js';
import type { RemoteCommand } from './remote-command.js';

/**
 * What is known of a command that runs.
 *
 * @example
 * import type { Started } from 'execwire-client';
 * const run = box.exec(['cat'], { stdin: 'pipe' });
 * const { pid, key }: Started = await run.started;
 * console.log(typeof pid, key); // number undefined
 * await run.end();
 */
export interface Started {
  /** Number of its process on the server's machine; undefined where the server does not say, or when it has ended before it could be asked. */
  readonly pid: number | undefined;
  /** Its name, for {@link Box.attach}; undefined for a command that ends with its connection. */
  readonly key: string | undefined;
}

/** Milliseconds between two looks at a command that is being started. */
const LOOK_AGAIN_MS = 20;

/** Resolves when the command runs or has run. @throws the refusal, when it never did */
export async function startedOf(command: RemoteCommand, clock: Clock): Promise<Started> {
  const attached = command.attached.then(({ pid, key }): Started => ({ pid: pid ?? undefined, key }));
  const ended = command.reply.then((): Started => ({ pid: undefined, key: command.key }));
  return Promise.race([attached, ended, listed(command, clock)]);
}

/** A command that ends with its connection is announced by nobody: the server is asked for it. */
async function listed(command: RemoteCommand, clock: Clock): Promise<Started> {
  for (;;) {
    const place = await command.place.wait();
    // Its end tells the caller, or its announcement.
    if (place === undefined || command.isKeptBy(place.session)) return new Promise(() => {});
    try {
      const { commands } = await place.session.request('command/exec/list', {});
      const found = commands.find(({ processId }) => processId === place.processId);
      if (typeof found?.pid === 'number') return { pid: found.pid, key: found.key ?? undefined };
    } catch (error) {
      // Servers of this protocol need not have a list.
      if (error instanceof RpcError) return { pid: undefined, key: undefined };
    }
    await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
  }
}
