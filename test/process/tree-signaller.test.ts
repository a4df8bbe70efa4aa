/** Shows that signals to many commands in one turn of the event loop need one look at the processes. Signals nothing. */
import t from 'tap';
import type { TreeTarget } from '../../src/process/tree-scan.js';
import { TreeSignaller } from '../../src/process/tree-signaller.js';

t.test('signaller looks once when many commands are signalled in one turn', async (t) => {
  const looks: string[] = [];
  const survivors: number[] = [];
  let left: number[] = [];
  const note = (signal: string, targets: readonly TreeTarget[]): void => {
    looks.push(`${signal} ${targets.map(({ mark }) => mark).join(',')}`);
  };
  const signaller = new TreeSignaller({
    signalTree: (targets, signal) => note(signal, targets),
    killUntilGone: async (targets) => {
      note('SIGKILL', targets);
      return left;
    },
    onSurvivors: (pids) => survivors.push(...pids),
  });
  const target = (mark: string): TreeTarget => ({ leaders: [], mark });
  const first = ['a', 'b', 'c.'].map((mark) => signaller.signal(target(mark), 'SIGTERM'));
  t.strictSame(looks, [], 'not before the turn has ended');
  t.strictSame(await Promise.all(first), [[], [], []]);
  t.strictSame(looks, ['SIGTERM a,b,c.']);

  left = [7];
  const second = [
    signaller.signal(target('a'), 'SIGKILL'),
    signaller.signal(target('b'), 'SIGTERM'),
    signaller.signal(target('c.'), 'SIGKILL'),
  ];
  t.strictSame(await second[0], [7]);
  t.strictSame(looks.slice(1), ['SIGTERM b', 'SIGKILL a,c.']);
  await Promise.all(second);
  t.strictSame(survivors, [7], 'reported once');
});
