// Owns what is in the published package: what must be there, and that nothing else is. Knows nothing of how it is made.
import { readFileSync } from 'node:fs';
import { runNpm } from './run-tool.mjs';

const WANTED =
  /^(dist\/.+\.(c?js|d\.ts)|dist\/prebuilds\/(linux|darwin)-(x64|arm64)\/(pty\.node|spawn-helper)|dist\/THIRD-PARTY-LICENSES\.txt|package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/;
/** All packages that npm installs beside this one; the others are bundled. */
const INSTALLED = ['koffi', 'ws'];
const REQUIRED = [
  'dist/THIRD-PARTY-LICENSES.txt',
  'dist/prebuilds/linux-x64/pty.node',
  'dist/prebuilds/linux-arm64/pty.node',
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'package.json',
];
/** Bytes, unpacked. Some more than today's 3.6 MiB, of which 0.4 are node-pty's binaries: a source map or one for Windows is larger. */
const MAX_UNPACKED_BYTES = 5 * 1024 * 1024;

/** @returns {Promise<string[]>} problems */
export async function packageProblems() {
  const { code, stdout, stderr } = await runNpm(['pack', '--dry-run', '--json', '--ignore-scripts']);
  if (code !== 0) return [`npm pack failed: ${stderr.trim()}`];
  const answer = JSON.parse(stdout);
  // npm 12 answers with an object by package name, older ones with an array.
  const [pack] = Array.isArray(answer) ? answer : Object.values(answer);
  const paths = pack.files.map(({ path }) => path);
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  const required = [...REQUIRED, ...Object.values(manifest.bin), ...exportedFiles(manifest.exports)];
  const installed = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }).sort();
  return [
    ...(installed.join() === INSTALLED.join() ? [] : [`npm installs ${installed}, where ${INSTALLED} are enough`]),
    ...paths.filter((path) => !WANTED.test(path)).map((path) => `${path} does not belong into the package`),
    ...required.filter((path) => !paths.includes(path)).map((path) => `${path} is missing in the package`),
    ...(pack.unpackedSize > MAX_UNPACKED_BYTES ? [`the package has ${pack.unpackedSize} bytes unpacked`] : []),
  ];
}

function exportedFiles(target) {
  return typeof target === 'string' ? [target.replace(/^\.\//, '')] : Object.values(target).flatMap(exportedFiles);
}
