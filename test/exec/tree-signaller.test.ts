/** Signals to many commands in one turn. */
import t from 'tap';
import type { KillTarget } from '../../src/exec/command.js';
import { TreeSignaller } from '../../src/exec/tree-signaller.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('a signaller takes one look for all that is signalled in one turn', async (t) => {
  const looks: string[] = [];
  const survivors: number[] = [];
  const signaller = new TreeSignaller({
    signal: async (targets: readonly KillTarget[], signal) => {
      looks.push(`${signal} ${targets.map(({ pid }) => pid).join(',')}`);
      return targets.map(({ pid }) => pid);
    },
    onSurvivors: (pids) => survivors.push(...pids),
  });
  for (const pid of [10, 11, 12]) signaller.add({ pid, marker: `m${pid}` }, 'SIGTERM');
  t.strictSame(looks, [], 'not before the turn has ended');
  await turn();
  t.strictSame(looks, ['SIGTERM 10,11,12']);
  t.strictSame(survivors, [], 'whoever lives on after SIGTERM is no survivor');

  signaller.add({ pid: 10, marker: 'm10' }, 'SIGKILL');
  signaller.add({ pid: 13, marker: 'm13' }, 'SIGTERM');
  signaller.add({ pid: 12, marker: 'm12' }, 'SIGKILL');
  await turn();
  t.strictSame(looks.slice(1), ['SIGKILL 10,12', 'SIGTERM 13']);
  await turn();
  t.strictSame(survivors, [10, 12]);
});
