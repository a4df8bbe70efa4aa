// Owns four root file systems that have little or nothing of what a program usually needs. Knows nothing of execwire.
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianTar } from './base-image.mjs';
import { run } from './command.mjs';
import { cachedFolder } from './npm-cache.mjs';

/** Debian: busybox-static. Its programs need no library. */
const BUSYBOX = '/bin/busybox';
/** Debian: musl. Loader and C library in one. */
const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1';
/** Who commands run as with `--run-as`, in every root; group 1002 is a further one of the user. */
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nrunner:x:1001:1001::/home/runner:/bin/sh\n';
const GROUP = 'root:x:0:\nrunner:x:1001:\nextra:x:1002:other,runner\n';
/** A library of the image that its LD_PRELOAD names. */
export const PRELOAD = '/image-preload.so';

/**
 * A root file system.
 * @typedef {object} Root
 * @property {string} name
 * @property {string} folder
 * @property {string[]} shell words before a script
 * @property {string} tool stands before the name of each tool in a script, or is empty
 * @property {boolean} hasLibc whether programs there load a C library, so that LD_PRELOAD means something
 */

/** @returns {string[]} what is missing on this machine, in words; empty when the roots can be made */
export function missingForRoots() {
  const needed = { [BUSYBOX]: 'busybox-static', [MUSL_LOADER]: 'musl', '/usr/bin/musl-gcc': 'musl-tools' };
  return Object.entries(needed).flatMap(([path, name]) =>
    existsSync(path) ? [] : [`${path} (Debian: apt-get install ${name})`],
  );
}

/** @returns {Promise<string>} path of Debian with Python as a tar file; made once a machine */
export async function pythonTar() {
  const folder = await cachedFolder('debian-bookworm-python', async (unfinished) => {
    const include = '--include=python3-minimal';
    const tar = join(unfinished, 'python.tar');
    await run(['mmdebstrap', '--quiet', '--variant=minbase', include, '--format=tar', 'bookworm', tar], {
      env: { TMPDIR: unfinished },
    });
  });
  return join(folder, 'python.tar');
}

/** @param {string} folder where to @returns {Promise<Root[]>} */
export async function makeRoots(folder) {
  const at = (name) => join(folder, name);
  await Promise.all([
    unpack(await pythonTar(), at('debian')),
    unpack(await debianTar(), at('no-libstdc++')).then(() => removeLibstdcxx(at('no-libstdc++'))),
    makeBusybox(at('musl')),
    makeEmpty(at('empty')),
  ]);
  const plain = { shell: ['/bin/sh', '-c'], tool: '', hasLibc: true };
  const roots = [
    { name: 'debian with python3', folder: at('debian'), ...plain },
    { name: 'busybox and musl', folder: at('musl'), ...plain },
    {
      name: 'one static binary',
      folder: at('empty'),
      shell: ['/busybox', 'sh', '-c'],
      tool: '/busybox',
      hasLibc: false,
    },
    { name: 'glibc without libstdc++', folder: at('no-libstdc++'), ...plain },
  ];
  for (const root of roots) {
    for (const place of ['proc', 'dev', 'sys', 'execwire', 'etc'])
      await mkdir(join(root.folder, place), { recursive: true });
    await writeFile(join(root.folder, 'etc/passwd'), PASSWD);
    await writeFile(join(root.folder, 'etc/group'), GROUP);
    if (root.hasLibc) await makePreload(root.folder, root.folder === at('musl') ? 'musl-gcc' : 'gcc');
  }
  return roots;
}

async function unpack(tar, folder) {
  await mkdir(folder, { recursive: true });
  await run(['tar', '-xf', tar, '-C', folder, '--exclude=./dev/*']);
}

async function removeLibstdcxx(folder) {
  const libraries = join(folder, 'usr/lib', `${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`);
  for (const name of await readdir(libraries)) if (name.startsWith('libstdc++')) await rm(join(libraries, name));
}

async function makeBusybox(folder) {
  for (const place of ['bin', 'lib', 'tmp']) await mkdir(join(folder, place), { recursive: true });
  await copyFile(BUSYBOX, join(folder, 'bin/busybox'));
  const { stdout } = await run([BUSYBOX, '--list']);
  for (const name of stdout.trim().split('\n')) {
    if (name !== 'busybox') await symlink('busybox', join(folder, 'bin', name));
  }
  await cp(MUSL_LOADER, join(folder, 'lib/ld-musl-x86_64.so.1'), { dereference: true });
  // A program that loads musl, because busybox itself is static here.
  const source = join(folder, 'tmp/value.c');
  await writeFile(
    source,
    '#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char **v) { char *t = c > 1 ? getenv(v[1]) : 0; return t ? puts(t) < 0 : 1; }\n',
  );
  await run(['musl-gcc', '-o', join(folder, 'bin/value'), source]);
}

async function makeEmpty(folder) {
  await mkdir(folder, { recursive: true });
  await copyFile(BUSYBOX, join(folder, 'busybox'));
  await chmod(join(folder, 'busybox'), 0o755);
}

async function makePreload(folder, compiler) {
  const source = join(folder, 'preload.c');
  // With a use of the C library, so that the wrong one is noticed.
  await writeFile(source, '#include <stdio.h>\nvoid *image_preload(void) { return stdout; }\n');
  await run([compiler, '-shared', '-fPIC', '-o', join(folder, PRELOAD), source]);
  await rm(source);
}
