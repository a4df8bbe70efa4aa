/** Starts trees of processes that are hard to kill, ends them in every possible way, and counts the survivors. Knows no bound. */
import { randomUUID } from 'node:crypto';
import { processesWith } from '../support/process-table.js';
import { ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';

/** How a tree is ended. */
const WAYS = ['terminate', 'timeout', 'disconnect'] as const;

/**
 * Trees, by what makes them hard to kill. The last argument of `sh`, which a script reads as `$0`, is a name that stays in the command line of every
 * process that must die. The test finds them by it.
 */
const TREES: Readonly<Record<string, { script: string; processes: number }>> = {
  setsid: { script: 'setsid sh -c "sleep 300; :" "$0" & sh -c "sleep 300; :" "$0"; :', processes: 3 },
  'double fork': { script: '(setsid sh -c "sleep 300; :" "$0" &) ; sh -c "sleep 300; :" "$0"; :', processes: 3 },
  'ignores TERM': {
    script: 'trap "" TERM HUP INT; sh -c "trap \\"\\" TERM HUP INT; sleep 300; :" "$0"; :',
    processes: 2,
  },
  'background jobs': {
    script: 'sh -c "sleep 300; :" "$0" & sh -c "sleep 300; :" "$0" & sh -c "sleep 300; :" "$0" & wait; :',
    processes: 4,
  },
};

/** The outcome of a series of kills. */
export interface KillFigures {
  readonly kills: number;
  readonly survivors: number;
}

/** Kills trees one after another, each way and each kind in turn, through pipes and terminals. */
export async function killTrees(server: ServerProcess, kills: number): Promise<KillFigures> {
  const kinds = Object.keys(TREES);
  let survivors = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const way = WAYS[kill % WAYS.length];
    const tree = TREES[kinds[kill % kinds.length] ?? ''];
    if (tree === undefined || way === undefined) continue;
    const name = `execwire-tree-${randomUUID()}`;
    const client = await (await server.wire()).initialize();
    const ended = client.exec(['sh', '-c', tree.script, name], {
      processId: name,
      tty: kill % 2 === 1,
      streamStdoutStderr: true,
      ...(way === 'timeout' ? { timeoutMs: 400 } : { disableTimeout: true }),
    });
    await until(
      `the tree "${kinds[kill % kinds.length]}" runs`,
      () => processesWith(name).length >= tree.processes || way === 'timeout',
    );
    if (way === 'terminate') await client.request('command/exec/terminate', { processId: name });
    if (way === 'disconnect') await client.close();
    else {
      await ended;
      await client.close();
    }
    survivors += await survivorsOf(name);
  }
  return { kills, survivors };
}

/** Kills busy servers with SIGKILL and counts the processes they leave. */
export async function crashes(count: number): Promise<KillFigures> {
  const kinds = Object.keys(TREES);
  let survivors = 0;
  for (let crash = 0; crash < count; crash += 1) {
    const server = await ServerProcess.start();
    const name = `execwire-crash-${randomUUID()}`;
    const client = await (await server.wire()).initialize();
    let expected = 0;
    for (const [index, kind] of kinds.entries()) {
      const tree = TREES[kind];
      if (tree === undefined) continue;
      expected += tree.processes;
      const tty = (crash + index) % 2 === 1;
      void client.exec(['sh', '-c', tree.script, name], {
        processId: kind,
        tty,
        streamStdoutStderr: true,
        disableTimeout: true,
      });
    }
    await until('the trees run', () => processesWith(name).length >= expected);
    await server.crash();
    survivors += await survivorsOf(name);
  }
  return { kills: count, survivors };
}

/** Waits up to a minute for the processes to end, because a busy machine needs time. Counts those that are left, and ends them. */
async function survivorsOf(name: string): Promise<number> {
  try {
    await until('everything is gone', () => processesWith(name).length === 0);
    return 0;
  } catch {
    const left = processesWith(name);
    for (const pid of left) process.kill(pid, 'SIGKILL');
    return left.length;
  }
}
