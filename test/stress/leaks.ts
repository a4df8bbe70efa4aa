/** Runs many commands over many connections and looks at what the server still holds afterwards. */
import { inParallel, type StressServer, until } from './stress-server.js';

const WIDTH = 8;
/** Closed sockets and reaped children are let go of by then. */
const SETTLE_WITHIN_MS = 5000;

/** Differences to the state before; after a first round, which fills caches and loads what is loaded late. */
export interface LeakFigures {
  readonly commands: number;
  readonly connections: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly zombies: number;
  readonly memoryBytes: number;
}

/** Runs the same load twice and compares the states after each. */
export async function leaks(server: StressServer, commands: number, connections: number): Promise<LeakFigures> {
  await load(server, commands, connections);
  const before = { descriptors: server.descriptors(), threads: server.threads(), memory: server.residentBytes() };
  await load(server, commands, connections);
  await until('descriptors are back', SETTLE_WITHIN_MS, () => server.descriptors() <= before.descriptors + 3).catch(
    () => {},
  );
  return {
    commands,
    connections,
    descriptors: server.descriptors() - before.descriptors,
    threads: server.threads() - before.threads,
    zombies: server.zombies(),
    memoryBytes: server.residentBytes() - before.memory,
  };
}

async function load(server: StressServer, commands: number, connections: number): Promise<void> {
  const perConnection = Math.ceil(commands / connections);
  await inParallel(connections, WIDTH, async (index) => {
    const { client } = await server.connect();
    for (let run = 0; run < perConnection; run += 1) {
      const tty = (index + run) % 2 === 0;
      const command = client.start({ command: ['cat'], tty, timeoutMs: 10_000 });
      await command.write('hello\n');
      if (run % 4 === 3) await command.terminate();
      else await command.closeStdin();
      await command.result;
    }
    await client.close();
  });
}
