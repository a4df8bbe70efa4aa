/** Finds out the process number of a started command. Knows no output. */
import { RpcError } from './errors.js';
import { type Clock, sleep } from './platform.js';
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
  /** Number of its process on the server's machine; undefined if the server does not say, or if the command ended before the server was asked. */
  readonly pid: number | undefined;
  /** Its name, for {@link Box.attach}; undefined for a command that ends with its connection. */
  readonly key: string | undefined;
}

/** Milliseconds between two looks at a command that is being started. */
const LOOK_AGAIN_MS = 20;

/** Resolves when the command runs or has run. @throws the refusal, when it never did */
export async function startedOf(command: RemoteCommand, clock: Clock): Promise<Started> {
  const pid = await Promise.race([
    command.attached.then((attached) => attached.pid),
    command.reply.then(() => undefined),
    listedPid(command, clock),
  ]);
  return { pid: pid ?? undefined, key: command.key };
}

/** Asks the server for the process number, because it announces only commands that outlive their connection. */
async function listedPid(command: RemoteCommand, clock: Clock): Promise<number | undefined> {
  for (;;) {
    const place = await command.place.wait();
    // The caller also waits for the command's end and for its announcement.
    if (place === undefined || command.isKeptBy(place.session)) return new Promise(() => {});
    try {
      const { commands } = await place.session.request('command/exec/list', {});
      const found = commands.find(({ processId }) => processId === place.processId);
      if (typeof found?.pid === 'number') return found.pid;
    } catch (error) {
      // Servers of this protocol need not have a list.
      if (error instanceof RpcError) return undefined;
    }
    await sleep(clock, LOOK_AGAIN_MS);
  }
}
