/** Shows that a server is not ready while commands cannot enter their directory. The whole-server case is at the end. */
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { FileProbe } from '../../src/process/file-probe.js';
import { StartFolder } from '../../src/server/start-folder.js';
import { startServer } from '../support/server.js';

interface LoggedFolder {
  readonly folder: StartFolder;
  readonly lines: string[];
}

/** A folder whose state the test sets. */
function folderWith(
  files: Partial<FileProbe>,
  options: { path?: string | undefined } = { path: '/workspace' },
): LoggedFolder {
  const lines: string[] = [];
  const note = (fields: unknown, text?: string): void => void lines.push(`${text} ${JSON.stringify(fields)}`);
  const log = { info: note, warn: note };
  const all: FileProbe = {
    kindOf: async () => 'directory',
    checkExecutable: async () => {},
    readHead: async () => Buffer.alloc(0),
    ...files,
  };
  return { folder: new StartFolder({ path: options.path, log, files: all }), lines };
}

t.test('folder is looked at anew each time, and only changes are logged', async (t) => {
  let denied = true;
  const { folder, lines } = folderWith({
    checkExecutable: async () => {
      if (denied) throw Object.assign(new Error(), { code: 'EACCES' });
    },
  });
  t.same([await folder.isOpen(), await folder.isOpen()], [false, false]);
  t.equal(lines.length, 1);
  t.match(lines[0], /^not ready: .*--default-cwd .*cwd \\"\/workspace\\": permission denied \(EACCES\)","uid":\d+/);
  denied = false;
  t.same([await folder.isOpen(), await folder.isOpen()], [true, true]);
  t.match(lines.slice(1), [/^ready again: /]);
});

t.test('a file is no directory to start in', async (t) => {
  const { folder, lines } = folderWith({ kindOf: async () => 'file' });
  t.equal(await folder.isOpen(), false);
  t.match(lines[0], 'ENOTDIR');
});

t.test("server's own directory is inherited by commands, and needs no look", async (t) => {
  const kindOf = async (): Promise<never> => t.fail('looked at a file') as never;
  const { folder, lines } = folderWith({ kindOf }, {});
  t.equal(await folder.isOpen(), true);
  t.same(lines, []);
});

t.test('calls share one look when the file system does not answer', async (t) => {
  let looks = 0;
  let answer = (_kind: 'directory'): void => {};
  const { folder } = folderWith({
    kindOf: () => {
      looks += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
  });
  const asked = [folder.isOpen(), folder.isOpen(), folder.isOpen()];
  t.equal(looks, 1);
  answer('directory');
  t.same(await Promise.all(asked), [true, true, true]);
  void folder.isOpen();
  t.equal(looks, 2);
});

t.test(
  'readyz and ownerz send clients elsewhere while the default directory is not there, and livez does not',
  async (t) => {
    const cwd = join(t.testdir(), 'later');
    const server = await startServer(t, { flags: ['--default-cwd', cwd], warm: false });
    const statuses = (): Promise<number[]> =>
      Promise.all(['/readyz', '/ownerz', '/livez'].map(async (path) => (await server.get(path)).status));
    await server.logged('not ready: commands cannot enter their directory');
    t.same(await statuses(), [503, 404, 200]);
    mkdirSync(cwd);
    t.same(await statuses(), [200, 200, 200]);
    rmdirSync(cwd);
    t.same(await statuses(), [503, 404, 200]);
  },
);
