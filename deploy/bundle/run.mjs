// Makes the runtime folder and its archives, `npm run bundle`: a folder that runs execwire in any Linux image, because it needs nothing of the image. Owns
// the command line and the order of the steps. Uses `dist/` as it is. Needs Debian, because the libraries are Debian's.
//   --outdir DIR    where to; default .bundle
//   --kinds A,B     archives to make of tar, tar.gz and tar.zst; `none` for the folder alone; default tar.gz,tar.zst
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { KINDS, pack } from './archive.mjs';
import { makeFolder } from './folder.mjs';
import { sha256Of } from './inputs.mjs';
import { ownPlatform } from './platform.mjs';

const { values } = parseArgs({
  options: {
    outdir: { type: 'string', default: '.bundle' },
    kinds: { type: 'string', default: 'tar.gz,tar.zst' },
  },
});
const outdir = resolve(values.outdir);
const kinds = values.kinds === 'none' ? [] : values.kinds.split(',');
const unknown = kinds.filter((kind) => !KINDS.includes(kind));
if (unknown.length > 0) throw new Error(`--kinds ${unknown}: expected some of ${KINDS}, or none`);

const platform = ownPlatform();
const workFolder = mkdtempSync(join(tmpdir(), 'execwire-bundle-'));
try {
  mkdirSync(outdir, { recursive: true });
  const folder = join(outdir, 'execwire');
  const manifest = makeFolder(folder, { platform, workFolder });
  console.log(`${folder}: ${manifest.inputs.length} inputs, in its manifest.json`);
  const name = `execwire-${platform.name}`;
  const archives = kinds.length === 0 ? [] : pack(folder, { to: join(outdir, name), kinds });
  writeFileSync(join(outdir, `${name}.manifest.json`), `${JSON.stringify(manifest, undefined, 2)}\n`);
  for (const path of archives) {
    console.log(`${path}: ${(statSync(path).size / 1e6).toFixed(1)} MB, sha256 ${sha256Of(path)}`);
  }
} finally {
  rmSync(workFolder, { recursive: true, force: true });
}
