// Checks the contents of the published package: every required file is there, and no other. Does not know how they are made.
import { readFileSync } from 'node:fs';
import { runNpm } from './run-tool.mjs';

const WANTED =
  /^(dist\/.+\.(c?js|d\.ts)|dist\/prebuilds\/(linux|darwin)-(x64|arm64)\/(pty\.node|spawn-helper)|dist\/ui\/(index\.html|assets\/style-[A-Z0-9]{8}\.css)|dist\/THIRD-PARTY-LICENSES\.txt|package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/;
/** All packages that npm installs beside this one; the others are bundled. */
const INSTALLED = ['koffi', 'ws'];
const REQUIRED = [
  'dist/THIRD-PARTY-LICENSES.txt',
  'dist/prebuilds/linux-x64/pty.node',
  'dist/prebuilds/linux-arm64/pty.node',
  'dist/ui/index.html',
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'package.json',
];
/**
 * Bytes, unpacked. Today's package has 5.9 MiB, of which `execwire mcp` takes 0.8, the page of the terminal 0.7 and node-pty's binaries 0.4. A source map, or binaries for Windows, would exceed the bound.
 */
const MAX_UNPACKED_BYTES = 7 * 1024 * 1024;

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
    ...paths.filter((path) => !WANTED.test(path)).map((path) => `${path} does not belong in the package`),
    ...required.filter((path) => !paths.includes(path)).map((path) => `${path} is missing from the package`),
    ...(pack.unpackedSize > MAX_UNPACKED_BYTES ? [`the package has ${pack.unpackedSize} bytes unpacked`] : []),
  ];
}

function exportedFiles(target) {
  return typeof target === 'string' ? [target.replace(/^\.\//, '')] : Object.values(target).flatMap(exportedFiles);
}
