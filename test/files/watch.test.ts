// Shows what a watch of a path tells: changes, replacements, appearance and disappearance, both with plain paths and confined to a root.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import t, { type Test } from 'tap';
import type { FileAccess, Reached } from '../../src/files/file-access.js';
import { watchPath } from '../../src/files/watch.js';
import { until } from '../support/until.js';
import { setUp, WAYS, type Way } from './file-setup.js';

/** Begins to watch a name, and waits for the reports that a test expects. */
async function watching(t: Test, way: Way, name: string, files: Readonly<Record<string, string>>) {
  const { access, at } = await setUp(t, way, files);
  const reports: string[][] = [];
  let told: (() => void) | undefined;
  const watch = await watchPath(access, at(name), {
    changed(paths) {
      reports.push(paths.map((path) => path.toString().slice(at('').length + 1)));
      told?.();
    },
  });
  // A watch alone does not keep a program alive.
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => {
    watch.close();
    clearInterval(alive);
  });
  /** Makes a change, and waits until a report names the path. */
  async function after(change: () => unknown, path: string): Promise<void> {
    await change();
    while (!reports.some((report) => report.includes(path))) {
      await new Promise<void>((resolve) => {
        told = resolve;
      });
    }
    t.pass(`told of ${path}`);
    reports.length = 0;
  }
  return { at, after, reports, watch };
}

t.test('a few changes are told by their names however much processor time the process takes meanwhile', async (t) => {
  const { at, reports } = await watching(t, 'plain', 'd', { 'd/a': '' });
  const { now } = performance;
  const { cpuUsage } = process;
  t.teardown(() => {
    performance.now = now;
    process.cpuUsage = cpuUsage;
  });
  let seconds = 0;
  performance.now = () => {
    seconds += 1;
    return seconds * 1000;
  };
  process.cpuUsage = () => ({ user: 1_000_000, system: 0 });
  for (let count = 0; count < 20; count += 1) writeFileSync(at(`d/${count}`), '');
  while (!reports.flat().includes('d/19')) {
    t.notOk(reports.flat().includes('d'), 'the folder is not told in place of its entries');
    if (!t.passing()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
});

for (const way of WAYS) {
  t.test(`${way}: watch of a folder tells its entries in order, and nothing deeper, when they change`, async (t) => {
    const { at, after, reports } = await watching(t, way, 'd', { 'd/sub/': '' });
    writeFileSync(at('d/sub/deep'), '');
    await after(() => writeFileSync(at('d/a'), ''), 'd/a');
    writeFileSync(at('d/z'), '');
    writeFileSync(at('d/b'), '');
    writeFileSync(at('d/y'), '');
    while (!reports.flat().includes('d/y')) await new Promise((resolve) => setImmediate(resolve));
    for (const report of reports) {
      t.same(report, [...new Set(report)].sort());
      t.notOk(report.includes('d/sub/deep'));
    }
    reports.length = 0;
    await after(() => rmSync(at('d/a')), 'd/a');
    await after(() => rmSync(at('d'), { recursive: true }), 'd');
    await after(() => mkdirSync(at('d')), 'd');
    // By the time that its appearance is told, the new folder is watched.
    await after(() => writeFileSync(at('d/again'), ''), 'd/again');
  });

  t.test(`${way}: watch of a file tells of it when the file is written, replaced or removed`, async (t) => {
    const { at, after } = await watching(t, way, 'file', { file: 'a', other: '' });
    await after(() => writeFileSync(at('file'), 'b'), 'file');
    for (const round of [1, 2]) {
      writeFileSync(at(`next${round}`), 'c');
      await after(() => renameSync(at(`next${round}`), at('file')), 'file');
    }
    await after(() => writeFileSync(at('file'), 'd'), 'file');
    await after(() => rmSync(at('file')), 'file');
  });

  t.test(`${way}: watch of a missing path tells of it when it appears with its folders`, async (t) => {
    const { at, after } = await watching(t, way, 'x/y/file', {});
    await after(async () => {
      await mkdir(at('x/y'), { recursive: true });
      writeFileSync(at('x/y/file'), '');
    }, 'x/y/file');
    await after(() => rm(at('x'), { recursive: true }), 'x/y/file');
  });

  t.test(`${way}: watch tells nothing when it has been closed`, async (t) => {
    const { at, after, reports, watch } = await watching(t, way, '.', {});
    await after(() => writeFileSync(at('a'), ''), 'a');
    writeFileSync(at('b'), '');
    watch.close();
    writeFileSync(at('c'), '');
    // A second watch has told of a later change, so the first one would have, too.
    const second = await watching(t, way, '.', {});
    await second.after(() => writeFileSync(second.at('d'), ''), 'd');
    t.same(reports, []);
  });
}

t.test(
  'watch of a missing path sees what comes between the look for its folder and the watch of the folder above',
  async (t) => {
    const { access, at } = await setUp(t, 'plain', { 'x/': '' });
    let isMade = false;
    const racing: FileAccess = Object.create(access, {
      reach: {
        async value(path: Buffer, use: 'read'): Promise<Reached> {
          const reached = await access.reach(path, use);
          if (path.toString() !== at('x/y') || isMade) return reached;
          isMade = true;
          // A look that finds nothing leaves what it came to.
          const close = async (): Promise<void> => {
            mkdirSync(at('x/y'));
            writeFileSync(at('x/y/file'), '');
          };
          return { ...reached, close };
        },
      },
      isRoot: { value: (path: Buffer) => access.isRoot(path) },
    });
    const reports: string[] = [];
    const watch = await watchPath(racing, at('x/y/file'), {
      changed: (paths) => reports.push(...paths.map(String)),
    });
    t.teardown(() => watch.close());
    t.ok(isMade);
    await until('the watch tells of the file', () => {
      writeFileSync(at('x/y/file'), 'changed');
      return reports.includes(at('x/y/file'));
    });
  },
);

t.test('event loop and watch go on when a program changes a folder faster than changes are taken', async (t) => {
  const { at, after, reports } = await watching(t, 'plain', 'd', { 'd/a': '' });
  const flood = `const { renameSync: r } = require('fs'); process.on('disconnect', () => process.exit());
    const turn = () => { for (let n = 0; n < 500; n += 1) { r('a', 'b'); r('b', 'a'); } setImmediate(turn); }; turn();`;
  const flooder = spawn(process.execPath, ['-e', flood], {
    cwd: at('d'),
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  t.teardown(() => flooder.kill());
  // When there are too many changes, the watch names the folder itself.
  while (!reports.flat().includes('d')) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let turns = 0; turns < 100; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  const ended = once(flooder, 'exit');
  flooder.disconnect();
  await ended;
  reports.length = 0;
  const writing = setInterval(() => writeFileSync(at('d/last'), ''), 50);
  t.teardown(() => clearInterval(writing));
  await after(() => {}, 'd/last');
});
