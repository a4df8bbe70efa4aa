// Watching a path: changes, replacement, appearance and disappearance, by path and confined.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { watchPath } from '../../src/files/watch.js';
import { setUp, WAYS, type Way } from './file-setup.js';

/** Watches a name, and gives the next report after some change. */
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
  /** Makes a change, again and again under other names if wanted, and waits until a report names the path. */
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

for (const way of WAYS) {
  t.test(`${way}: a watch of a folder tells of its entries, sorted, and of nothing deeper`, async (t) => {
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
    // The folder that is there now is watched once its appearance was told.
    await after(() => writeFileSync(at('d/again'), ''), 'd/again');
  });

  t.test(`${way}: a watch of a file tells of changes, also after it was replaced`, async (t) => {
    const { at, after } = await watching(t, way, 'file', { file: 'a', other: '' });
    await after(() => writeFileSync(at('file'), 'b'), 'file');
    for (const round of [1, 2]) {
      writeFileSync(at(`next${round}`), 'c');
      await after(() => renameSync(at(`next${round}`), at('file')), 'file');
    }
    await after(() => writeFileSync(at('file'), 'd'), 'file');
    await after(() => rmSync(at('file')), 'file');
  });

  t.test(`${way}: a watch of a missing path tells when it appears, also when its folders were missing`, async (t) => {
    const { at, after } = await watching(t, way, 'x/y/file', {});
    await after(async () => {
      await mkdir(at('x/y'), { recursive: true });
      writeFileSync(at('x/y/file'), '');
    }, 'x/y/file');
    await after(() => rm(at('x'), { recursive: true }), 'x/y/file');
  });

  t.test(`${way}: nothing is told after a watch was closed`, async (t) => {
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
  'the loop goes on, and the watch too, when a program changes a folder faster than changes are taken',
  async (t) => {
    const { at, after, reports } = await watching(t, 'plain', 'd', { 'd/a': '' });
    const flood = `const { renameSync: r } = require('fs'); process.on('disconnect', () => process.exit());
    const turn = () => { for (let n = 0; n < 500; n += 1) { r('a', 'b'); r('b', 'a'); } setImmediate(turn); }; turn();`;
    const flooder = spawn(process.execPath, ['-e', flood], {
      cwd: at('d'),
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    t.teardown(() => flooder.kill());
    // The folder itself is told when its changes are too many.
    while (!reports.flat().includes('d')) await new Promise((resolve) => setTimeout(resolve, 1));
    for (let turns = 0; turns < 100; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    const ended = once(flooder, 'exit');
    flooder.disconnect();
    await ended;
    reports.length = 0;
    const writing = setInterval(() => writeFileSync(at('d/last'), ''), 50);
    t.teardown(() => clearInterval(writing));
    await after(() => {}, 'd/last');
  },
);
