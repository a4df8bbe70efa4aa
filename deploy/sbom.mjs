// Writes the bill of materials of what ships: the packages that npm installs, and those that are parts of the bundle. Offline, from the lock
// file and node_modules: `node deploy/sbom.mjs [FILE]`. CycloneDX JSON; FILE is sbom.cdx.json unless given.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { chdir } from 'node:process';
import { promisify } from 'node:util';
import { bundleServer, manifestOf } from '../bundle.mjs';
import { buildPage } from '../web/build.mjs';

chdir(resolve(import.meta.dirname, '..'));
/** Bytes. npm prints about 1 kB a package. */
const MAX_SBOM_BYTES = 16 * 1024 * 1024;

/** @param {string[]} flags */
async function npmSbom(...flags) {
  const argv = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only', '--offline'];
  const { stdout } = await promisify(execFile)('npm', [...argv, ...flags], { maxBuffer: MAX_SBOM_BYTES });
  return JSON.parse(stdout);
}

const [all, installed, bundled, inPage] = await Promise.all([
  npmSbom(),
  npmSbom('--omit', 'dev'),
  bundleServer('dist', { write: false }),
  buildPage('dist/ui', { write: false }),
]);
const references = new Set(installed.components.map((component) => component['bom-ref']));
for (const { name, version } of [...bundled, ...inPage].map(manifestOf)) references.add(`${name}@${version}`);
const ships = (component) => references.has(component['bom-ref']);
const components = all.components.filter(ships).map((component) => {
  // npm calls a package of development what the bundle is made from.
  const properties = component.properties?.filter(({ name }) => name !== 'cdx:npm:package:development');
  return { ...component, scope: 'required', properties };
});
const missing = [...references].filter(
  (reference) => !components.some((component) => component['bom-ref'] === reference),
);
if (missing.length > 0) throw new Error(`the lock file does not have ${missing.join(', ')}`);
const root = all.metadata.component['bom-ref'];
const dependencies = all.dependencies
  .filter(({ ref }) => ref === root || references.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => references.has(other)) }));
const file = process.argv[2] ?? 'sbom.cdx.json';
await writeFile(file, JSON.stringify({ ...all, components, dependencies }, undefined, 2));
console.log(`${file}: ${components.length} components`);
