// Swaps a folder and a file for links that lead out of the served folder, as fast as it can, until its parent disconnects.
// Arguments: the served folder and the one outside.
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [root, outside] = process.argv.slice(2);
const folder = join(root, 'folder');
const kept = join(root, 'kept');
const link = join(root, 'link');
let isRunning = true;
process.on('disconnect', () => {
  isRunning = false;
});

/** Makes again what an operation may have taken away. */
function repair() {
  rmSync(link, { recursive: true, force: true });
  rmSync(kept, { recursive: true, force: true });
  const present = lstatSync(folder, { throwIfNoEntry: false });
  if (present === undefined || present.isSymbolicLink()) {
    rmSync(folder, { force: true });
    mkdirSync(folder);
  }
  symlinkSync(outside, link);
  // Files of the same names as outside, with the content `inside`, which is all that a read may give.
  for (const name of readdirSync(outside)) {
    if (name === 'sub') continue;
    // It may be a link to the file outside, and a write would follow it.
    rmSync(join(folder, name), { force: true });
    writeFileSync(join(folder, name), 'inside', { flag: 'wx' });
  }
  mkdirSync(join(folder, 'sub'), { recursive: true });
  writeFileSync(join(folder, 'sub', 'file'), 'inside');
}

function swap() {
  renameSync(folder, kept);
  renameSync(link, folder);
  renameSync(folder, link);
  renameSync(kept, folder);
  // The file itself is swapped, too, for a link to the file outside.
  renameSync(join(folder, 'file'), join(folder, 'file.kept'));
  symlinkSync(join(outside, 'file'), join(folder, 'file'));
  rmSync(join(folder, 'file'));
  renameSync(join(folder, 'file.kept'), join(folder, 'file'));
}

function turn() {
  for (let n = 0; n < 50 && isRunning; n += 1) {
    try {
      swap();
    } catch {
      try {
        repair();
      } catch {
        // An operation was in the way; the next turn tries again.
      }
    }
  }
  if (isRunning) setImmediate(turn);
}

repair();
process.send?.('racing');
turn();
