/** Moves what is in one open folder into another one of the same file system, following no link. Knows no tar. */
import { rename, rmdir } from 'node:fs/promises';
import { type FileAccess, type Folder, holding } from './file-access.js';
import { FileError } from './file-error.js';
import { lstatIfThere } from './lstat-if-there.js';
import { entriesOf, listSome } from './read-directory.js';

const ENTRIES_AT_ONCE = 1000;

/** Refuses before anything is put in place. @throws {FileError} `exists`, `denied` */
export async function checkPlaces(access: FileAccess, from: Folder, to: Folder): Promise<void> {
  for await (const { name, isDirectory } of entriesOf(from)) {
    const present = await lstatIfThere(to.entry(name));
    if (present === undefined) continue;
    if (present.isDirectory() !== isDirectory) {
      const [is, was] = isDirectory ? ['a folder', 'none'] : ['none', 'a folder'];
      throw new FileError(
        'exists',
        `nothing was unpacked: ${JSON.stringify(String(name))} is ${is} in the tar and ${was} there`,
      );
    }
    if (!isDirectory) await access.checkChange(present);
    else await inBoth(from, to, { name, work: (inner, outer) => checkPlaces(access, inner, outer) });
  }
}

/** Moves all entries; folders of the same name are joined, files are replaced. */
export async function putInPlace(from: Folder, to: Folder): Promise<void> {
  // Each round takes away what it lists, but for folders that are there already, which are then empty and removed.
  for (;;) {
    const entries = await listSome(from, ENTRIES_AT_ONCE);
    if (entries.length === 0) return;
    for (const { name, isDirectory } of entries) {
      if (!isDirectory || (await lstatIfThere(to.entry(name))) === undefined) {
        await rename(from.entry(name), to.entry(name));
        continue;
      }
      await inBoth(from, to, { name, work: putInPlace });
      await rmdir(from.entry(name));
    }
  }
}

async function inBoth(
  from: Folder,
  to: Folder,
  { name, work }: { readonly name: Buffer; readonly work: (from: Folder, to: Folder) => Promise<void> },
): Promise<void> {
  await holding(from.open(name), (inner) => holding(to.open(name), (outer) => work(inner, outer)));
}
