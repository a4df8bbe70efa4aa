// Owns the step of the runtime folder (`npm run bundle`): its build, twice, and what must hold of it at rest. What runs from it is in runtime-in-roots.mjs.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { compileLauncher } from '../bundle/launcher.mjs';
import { onCleanup } from './cleanup.mjs';
import { run, runThrough } from './command.mjs';
import { NAMESPACES, programWith } from './namespaced.mjs';
import { check } from './report.mjs';
import { findProgram } from './requirements.mjs';
import { makeRoots, missingForRoots } from './runtime-roots.mjs';

/** Megabytes (10^6). */
const MAX_ZSTD_MB = 40;
/** What a bundle is made from. */
const PARTS = [
  'src',
  'plugins',
  'routes',
  'client',
  'web',
  'deploy',
  'launcher',
  'build.mjs',
  'bundle.mjs',
  'package.json',
  'LICENSE',
];
const AARCH64_COMPILER = 'aarch64-linux-gnu-gcc';
/** Of an ELF header (elf(5)): its first bytes, and the machine at byte 18. */
const ELF_64_LITTLE = '7f454c460201';
const EM_AARCH64 = 183;
/** A program that is loaded by a loader has this header; a static one has none. */
const PT_INTERP = 'INTERP';

function missingForBundle() {
  const programs = { strip: 'binutils', 'tini-static': 'tini', zstd: 'zstd', 'dpkg-query': 'dpkg' };
  const missing = Object.entries(programs).filter(([program]) => findProgram(program) === undefined);
  return [...missing.map(([program, name]) => `${program} (Debian: apt-get install ${name})`), ...missingForRoots()];
}

async function sha256Of(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** @returns {Promise<Record<string, string>>} hash of each archive */
async function bundle(projectFolder, outdir, kinds) {
  await run([process.execPath, join(projectFolder, 'deploy/bundle/run.mjs'), '--outdir', outdir, '--kinds', kinds], {
    cwd: projectFolder,
  });
  const archives = (await readdir(outdir)).filter((name) => name.includes('.tar'));
  return Object.fromEntries(
    await Promise.all(archives.map(async (name) => [name, await sha256Of(join(outdir, name))])),
  );
}

/** The same sources in another folder, built there. Packages are links to the same files. */
async function bundleElsewhere(projectFolder, workFolder) {
  const elsewhere = join(workFolder, 'a/copy of the project');
  await mkdir(elsewhere, { recursive: true });
  const copies = [...PARTS, ...(await readdir(projectFolder)).filter((name) => /^tsconfig.*\.json$/.test(name))];
  await run(['cp', '-a', ...copies, elsewhere], { cwd: projectFolder });
  await run(['rm', '-rf', join(elsewhere, 'client/dist')]);
  const linked = await run(['cp', '-al', 'node_modules', elsewhere], { cwd: projectFolder, check: false });
  // Links do not reach another file system.
  if (linked.code !== 0) await run(['cp', '-a', 'node_modules', elsewhere], { cwd: projectFolder });
  await run([process.execPath, 'build.mjs'], { cwd: elsewhere });
  return bundle(elsewhere, join(elsewhere, '.bundle'), 'tar');
}

async function checkAtRest(folder, outdir) {
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
  const incomplete = manifest.inputs.filter(
    ({ name, version, sha256 }) => !name || !version || !/^[\da-f]{64}$/.test(sha256),
  );
  check(
    'each input has name, version and sha256',
    manifest.inputs.length > 0 && incomplete.length === 0,
    manifest.inputs.length,
  );
  const licenses = await readdir(join(folder, 'licenses'));
  const unlicensed = manifest.inputs.filter(({ name }) => /^(lib|tini|musl)/.test(name) && !licenses.includes(name));
  check(
    'the copyright file of each Debian package goes with it',
    unlicensed.length === 0,
    unlicensed.map(({ name }) => name).join(' '),
  );
  for (const program of ['execwire', 'tini']) {
    const { stdout } = await run(['readelf', '--program-headers', '--wide', join(folder, 'bin', program)]);
    check(`${program} is static`, !stdout.includes(PT_INTERP));
  }
  const { stdout: foreign } = await run([
    'find',
    folder,
    '(',
    '-type',
    'l',
    '-o',
    '-perm',
    '/6000',
    '-o',
    '-perm',
    '-o+w',
    ')',
  ]);
  check('no link, no set-user-id file, nothing that others may write', foreign === '', foreign);
  const { size } = await stat(join(outdir, `execwire-linux-${process.arch}.tar.zst`));
  check(`is at most ${MAX_ZSTD_MB} MB as zstd`, size / 1e6 <= MAX_ZSTD_MB, `${(size / 1e6).toFixed(1)} MB`);
}

/** For the other processor nothing but the launcher is tried, and only that it compiles. */
async function checkOtherLauncher(workFolder) {
  if (findProgram(AARCH64_COMPILER) === undefined) {
    console.log(
      `  --   skipped: the launcher for arm64, for lack of ${AARCH64_COMPILER} (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross)`,
    );
    return;
  }
  const program = join(workFolder, 'launcher-arm64');
  compileLauncher(AARCH64_COMPILER, { loader: 'ld-linux-aarch64.so.1', to: program });
  const header = await readFile(program);
  const isRight = header.toString('hex', 0, 6) === ELF_64_LITTLE && header.readUInt16LE(18) === EM_AARCH64;
  check('the launcher compiles for arm64', isRight, 'not run; the arm64 folder has not been tried');
}

/**
 * @param {{ projectFolder: string, workFolder: string, cgroup: string }} run `dist/` has been built
 */
export async function checkRuntimeFolder({ projectFolder, workFolder, cgroup }) {
  const missing = missingForBundle();
  if (missing.length > 0) {
    console.log(`  --   skipped: the runtime folder, for lack of ${missing.join(', ')}`);
    return;
  }
  const outdir = join(workFolder, 'bundle');
  const [first, second] = [
    await bundle(projectFolder, outdir, 'tar,tar.gz,tar.zst'),
    await bundleElsewhere(projectFolder, workFolder),
  ];
  const tar = `execwire-linux-${process.arch}.tar`;
  check('two builds in different folders are equal byte for byte', first[tar] === second[tar], first[tar]);
  const runtimeFolder = join(outdir, 'execwire');
  await checkAtRest(runtimeFolder, outdir);
  await checkOtherLauncher(workFolder);

  // Here, because there is no network inside.
  const roots = await makeRoots(join(workFolder, 'roots'));
  const program = await programWith('runtime-in-roots', { runtimeFolder, roots, workFolder, cgroup });
  const { code, ended } = runThrough([...NAMESPACES, ...program]);
  onCleanup('programs in foreign roots', ended);
  check('the runtime folder passed in its roots', (await code) === 0);
}
