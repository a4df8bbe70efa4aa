// Shows what `execwire cp` does with links, devices, pipes, files without a size and names that no tar can have: on the way up and on the way down.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import t, { type Test } from 'tap';
import { startServer } from '../support/server.js';
import { CliProcess, type Ended } from './cli-process.js';

const server = await startServer(t, { flags: ['--files'] });

function folder(t: Test): string {
  const path = mkdtempSync(`${tmpdir()}/execwire-cp-`);
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function run(args: readonly string[]): Promise<Ended> {
  const started = new CliProcess(['cp', ...args], { env: { EXECWIRE_URL: server.url } });
  started.child.stdin?.end();
  return started.ended;
}

const DIRECTIONS = ['up', 'down'] as const;
type Direction = (typeof DIRECTIONS)[number];

/** Copies with one side on the server. */
function cp(direction: Direction, from: string, to: string): Promise<Ended> {
  return run(direction === 'up' ? [from, `:${to}`] : [`:${from}`, to]);
}

/** A socket file that a server listens on. */
async function socketAt(t: Test, path: string): Promise<void> {
  const listening = createServer();
  await new Promise<void>((resolve) => listening.listen(path, resolve));
  t.teardown(() => listening.close());
}

/** Whether a device of the kind of /dev/null was made, which only root may. */
function hasDevice(t: Test, path: string): boolean {
  try {
    execFileSync('mknod', [path, 'c', '1', '3'], { stdio: 'ignore' });
    return true;
  } catch {
    t.comment('no device is tried: this user may not make one');
    return false;
  }
}

for (const direction of DIRECTIONS) {
  t.test(`cp ${direction} refuses and changes nothing when the target is a device, a pipe or a socket`, async (t) => {
    const d = folder(t);
    writeFileSync(`${d}/f`, 'content');
    mkdirSync(`${d}/src`);
    execFileSync('mkfifo', [`${d}/pipe`]);
    await socketAt(t, `${d}/socket`);
    symlinkSync('pipe', `${d}/link`);
    const names = ['pipe', 'socket', 'link', ...(hasDevice(t, `${d}/device`) ? ['device'] : [])];
    for (const name of names) {
      const before = lstatSync(`${d}/${name}`);
      for (const source of ['f', 'src']) {
        const ended = await cp(direction, `${d}/${source}`, `${d}/${name}`);
        t.match(ended, { code: 125, stderr: /is not a file|is a device, a pipe or a socket/ }, `${source} ${name}`);
      }
      const after = lstatSync(`${d}/${name}`);
      t.same([after.ino, after.mode, after.rdev], [before.ino, before.mode, before.rdev], name);
    }
    for (const name of names) {
      t.match(await cp(direction, `${d}/${name}`, `${d}/new`), { code: 125, stderr: /is not a file/ }, name);
    }
    t.notOk(existsSync(`${d}/new`));
  });

  t.test(
    `cp ${direction} follows a link that the target names, also one to nothing, when it copies a file`,
    async (t) => {
      const d = folder(t);
      mkdirSync(`${d}/real`);
      writeFileSync(`${d}/f`, 'new');
      chmodSync(`${d}/f`, 0o741);
      writeFileSync(`${d}/real/old`, 'old');
      for (const name of ['old', 'none']) {
        symlinkSync(`real/${name}`, `${d}/to-${name}`);
        t.match(await cp(direction, `${d}/f`, `${d}/to-${name}`), { code: 0, stderr: '' }, name);
        t.equal(readlinkSync(`${d}/to-${name}`), `real/${name}`);
        t.equal(readFileSync(`${d}/real/${name}`, 'utf8'), 'new');
        t.equal(statSync(`${d}/real/${name}`).mode & 0o777, 0o741);
      }
      symlinkSync('no-folder/x', `${d}/nowhere`);
      t.match(await cp(direction, `${d}/f`, `${d}/nowhere`), { code: 125, stderr: /No such file or directory/ });
      symlinkSync('circle', `${d}/circle`);
      t.match(await cp(direction, `${d}/f`, `${d}/circle`), { code: 125, stderr: /ymbolic link/ });
      symlinkSync('real', `${d}/to-folder`);
      t.equal((await cp(direction, `${d}/f`, `${d}/to-folder`)).code, 0);
      t.equal(readFileSync(`${d}/real/f`, 'utf8'), 'new', 'a link to a folder stands for the folder');
    },
  );

  t.test(`cp ${direction} writes nothing elsewhere when a name that it adds to the target is a link`, async (t) => {
    const d = folder(t);
    for (const name of ['elsewhere', 'to', 'src']) mkdirSync(`${d}/${name}`);
    writeFileSync(`${d}/src/f`, 'x');
    writeFileSync(`${d}/f`, 'x');
    writeFileSync(`${d}/elsewhere/kept`, 'kept');
    symlinkSync(`${d}/elsewhere`, `${d}/to/src`);
    symlinkSync(`${d}/elsewhere/kept`, `${d}/to/f`);
    t.match(await cp(direction, `${d}/src`, `${d}/to`), { code: 125, stderr: /nothing was unpacked/ });
    symlinkSync('none', `${d}/to-none`);
    t.match(await cp(direction, `${d}/src`, `${d}/to-none`), { code: 125, stderr: /nothing was unpacked/ });
    t.equal((await cp(direction, `${d}/f`, `${d}/to`)).code, 0);
    t.ok(lstatSync(`${d}/to/f`).isFile(), 'a file takes the place of the link');
    t.same(readdirSync(`${d}/elsewhere`), ['kept']);
    t.equal(readFileSync(`${d}/elsewhere/kept`, 'utf8'), 'kept');
  });

  t.test(`cp ${direction} copies the content when a file does not tell its size`, async (t) => {
    const d = folder(t);
    mkdirSync(`${d}/to`);
    for (const target of ['f', 'to']) t.equal((await cp(direction, '/proc/version', `${d}/${target}`)).code, 0, target);
    for (const name of ['f', 'to/version'])
      t.equal(readFileSync(`${d}/${name}`, 'utf8'), readFileSync('/proc/version', 'utf8'));
  });

  t.test(
    `cp ${direction} copies the rest and names what it leaves out when pipes and sockets are in a folder`,
    async (t) => {
      const d = folder(t);
      mkdirSync(`${d}/src/sub`, { recursive: true });
      writeFileSync(`${d}/src/f`, 'x');
      execFileSync('mkfifo', [`${d}/src/sub/a, pipe`]);
      await socketAt(t, `${d}/src/socket`);
      const ended = await cp(direction, `${d}/src`, `${d}/to`);
      t.match(ended, { code: 0, stdout: '', stderr: /^execwire: not copied, .*\n$/ });
      t.match(ended.stderr, ' sub/a, pipe');
      t.match(ended.stderr, ' socket');
      t.same((readdirSync(`${d}/to`, { recursive: true }) as string[]).sort(), ['f', 'sub']);
      const [from, to] = [`${d}/src`, `${d}/json`];
      const shown = await run(direction === 'up' ? ['--json', from, `:${to}`] : ['--json', `:${from}`, to]);
      t.same(JSON.parse(shown.stdout).leftOut.sort(), ['socket', 'sub/a, pipe']);
      t.equal(shown.stderr, '');
    },
  );

  t.test(`cp ${direction} says which name it is when a name in the folder is no UTF-8`, async (t) => {
    const d = folder(t);
    mkdirSync(`${d}/src`);
    writeFileSync(Buffer.concat([Buffer.from(`${d}/src/n`), Buffer.from([0xff])]), 'x');
    const ended = await cp(direction, `${d}/src`, `${d}/to`);
    t.match(ended, { code: 125, stderr: /a name is no UTF-8 and cannot be in a tar: "nÿ"/ });
    t.notOk(existsSync(`${d}/to`));
  });
}

for (const direction of DIRECTIONS) {
  t.test(`cp ${direction} says which file it is when one in the folder cannot be packed`, async (t) => {
    const memory = '/dev/shm';
    if (!existsSync(memory)) {
      t.comment('not tried: no file system here takes a file of more than 2^53 bytes');
      return;
    }
    const d = mkdtempSync(`${memory}/execwire-cp-`);
    t.teardown(() => rmSync(d, { recursive: true, force: true }));
    mkdirSync(`${d}/src/sub`, { recursive: true });
    execFileSync('truncate', ['-s', '9007199254740993', `${d}/src/sub/huge`]);
    const ended = await cp(direction, `${d}/src`, `${d}/to`);
    t.match(ended, {
      code: 125,
      stderr: /src: sub\/huge: a file of 9007199254740993 bytes is too large\n$/,
    });
    t.notOk(existsSync(`${d}/to`));
  });
}

t.test('cp stays in the files of the server when a path has more .. than folders', async (t) => {
  const d = folder(t);
  writeFileSync(`${d}/f`, 'x');
  t.equal((await run([`:/../../../..${d}/f`, `${d}/g`])).code, 0);
  t.match(await run([`${d}/f`, ':/../../no-such-folder/f']), { code: 125, stderr: /:\/no-such-folder is no folder/ });
});
