// Writes the bill of materials of what ships (no development dependency), from the lock file alone, offline: `node deploy/sbom.mjs [FILE]`.
// CycloneDX JSON; FILE is sbom.cdx.json unless given.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const projectFolder = resolve(import.meta.dirname, '..');
/** Bytes. npm prints about 1 kB a package. */
const MAX_SBOM_BYTES = 16 * 1024 * 1024;

const argv = [
  'sbom',
  '--sbom-format',
  'cyclonedx',
  '--sbom-type',
  'application',
  '--omit',
  'dev',
  '--package-lock-only',
  '--offline',
];
const { stdout } = await promisify(execFile)('npm', argv, { cwd: projectFolder, maxBuffer: MAX_SBOM_BYTES });
const { components } = JSON.parse(stdout);
const file = process.argv[2] ?? 'sbom.cdx.json';
await writeFile(file, stdout);
console.log(`${file}: ${components.length} components`);
