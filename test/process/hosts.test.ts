// Shows starts on hosts that lack something, or that have names and variables that are not UTF-8. Knows no server.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import t from 'tap';

/** A built file, because the loader of the tests does not start in a directory whose name is not UTF-8. */
const FIXTURE = join(t.testdir(), 'start-once.mjs');
buildSync({
  entryPoints: [fileURLToPath(new URL('../fixtures/start-once.ts', import.meta.url))],
  outfile: FIXTURE,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
});
const TERMINAL = { rows: 24, cols: 80 };
const NEEDS_ROOT = process.getuid?.() !== 0 && 'mounting needs root';

/** Runs a shell script that prepares the host and then runs `"$@"`, which starts the commands. @returns the outcome of each */
function startsAfter(script: string, starts: readonly object[]): Record<string, unknown>[] {
  const fixture = [process.execPath, FIXTURE, JSON.stringify(starts)];
  const { stdout, stderr } = spawnSync('sh', ['-ec', script, 'sh', ...fixture], { encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line !== '');
  if (lines.length !== starts.length) throw new Error(`${lines.length} of ${starts.length} results: ${stderr}`);
  return lines.map((line) => JSON.parse(line));
}

/** The same in a mount namespace of its own. */
function startsAfterMount(script: string, starts: readonly object[]): Record<string, unknown>[] {
  return startsAfter(`exec unshare --mount --propagation private sh -ec '${script}; exec "$@"' sh "$@"`, starts);
}

t.test('command starts without a cwd when the directory of the server has a name that is not UTF-8', async (t) => {
  const dir = t.testdir({ sub: {} });
  const script = `d=$(printf '${dir}/odd\\377'); mkdir "$d" "$d/sub"; p=$PWD; cd "$d"; exec "$@"`;
  const results = startsAfter(script, [
    { argv: ['sh', '-c', 'pwd -P; ls'] },
    { argv: ['sh', '-c', 'pwd -P'], tty: TERMINAL },
    { argv: ['sh', '-c', 'pwd -P'], cwd: 'sub' },
  ]);
  t.same(
    results.map(({ text }) => String(text).replaceAll('\r', '')),
    [`${dir}/odd\u00ff\nsub\n`, `${dir}/odd\u00ff\n`, `${dir}/odd\u00ff/sub\n`],
  );
});

t.test('command starts without a cwd when the directory of the server is gone', async (t) => {
  const starts = [{ argv: ['sh', '-c', 'echo here'] }, { argv: ['true'], cwd: 'sub' }];
  const results = startsAfter(`exec "$@" ${t.testdir({ gone: {} })}/gone`, starts);
  t.match(results, [{ text: 'here\n' }, { errno: 'ENOENT', message: /cwd "sub"/ }]);
});

t.test('inherited bytes reach a child unchanged when they are not UTF-8', async (t) => {
  const script = `export ODD="$(printf 'a\\377b\\303')" FINE=ü "PLAIN=$(printf '\\357\\277\\275')"; PATH="$PATH:$(printf '/\\376')"; exec "$@"`;
  const print = ['sh', '-c', 'tr "\\0" "\\n" < /proc/$$/environ | grep -a -E "^(ODD|FINE|PLAIN|PATH)"'];
  for (const options of [{}, { tty: TERMINAL }]) {
    const [as, over] = startsAfter(script, [
      { argv: print, ...options },
      { argv: print, env: { ODD: 'new', PATH: '/usr/bin:/bin' }, ...options },
    ]).map(({ text }) => String(text).replaceAll('\r', '').split('\n'));
    t.ok(as?.includes('ODD=a\u00ffb\u00c3'));
    t.ok(as?.includes('FINE=\u00c3\u00bc'));
    t.ok(as?.includes('PLAIN=\u00ef\u00bf\u00bd'));
    t.ok(as?.some((line) => line.startsWith('PATH=') && line.endsWith(':/\u00fe')));
    t.ok(over?.includes('ODD=new'), 'a variable of the request replaces the inherited one');
    t.ok(over?.includes('PATH=/usr/bin:/bin'));
  }
});

t.test('start names what is missing when the host lacks it', { skip: NEEDS_ROOT }, async (t) => {
  const both = [{ argv: ['true'] }, { argv: ['true'], tty: TERMINAL }];
  const keep = 'mount -t tmpfs none /mnt && touch /mnt/full && mount --bind /dev/full /mnt/full';
  t.match(
    startsAfterMount(`${keep} && mount --move /mnt /dev`, both),
    [
      { errno: 'ENOENT', message: /^\/dev\/null: / },
      { errno: 'ENOENT', message: /\/dev\/ptmx/ },
    ],
    'an empty /dev',
  );
  t.match(startsAfterMount('mount -t tmpfs none /dev/pts', both), [
    { exitCode: 0 },
    { errno: 'ENODEV', message: /\/dev\/ptmx/ },
  ]);
  const few =
    'mount -t devpts -o newinstance,ptmxmode=666,max=1 none /dev/pts && mount --bind /dev/pts/ptmx /dev/ptmx && exec 9<>/dev/ptmx';
  t.match(startsAfterMount(few, both), [{ exitCode: 0 }, { errno: 'ENOSPC', message: /\/dev\/ptmx/ }]);
});
