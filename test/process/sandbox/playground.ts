/** Makes the folders in which cases are played, and the variables that name them. Knows no case. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Prints the user that it runs as. */
const ID = '/usr/bin/id';
const KEPT = new Set(['.git', '.codex', '.agents', '.aws', 'deep']);

export interface Playground {
  readonly base: string;
  readonly folders: Readonly<Record<string, string>>;
  /** Makes everything as it was at first. */
  reset(): void;
}

/** @param base an empty folder of this user's, outside of folders that a policy makes writable */
export function playground(base: string): Playground {
  const folders = {
    WS: join(base, 'ws'),
    ROOT: join(base, 'root'),
    OUT: join(base, 'out'),
    TMPD: join(base, 'tmpd'),
    WSLINK: join(base, 'wslink'),
    ROOTLINK: join(base, 'rootlink'),
  };
  const reset = (): void => {
    for (const folder of ['ws/.git', 'ws/.codex', 'ws', 'root/deep', 'root', 'out', 'tmpd']) empty(join(base, folder));
    for (const link of ['wslink', 'rootlink']) rmSync(join(base, link), { force: true });
    for (const folder of ['ws/sub', 'ws/.git', 'ws/.codex', 'root/.git', 'root/deep/.git', 'out', 'tmpd']) {
      mkdirSync(join(base, folder), { recursive: true });
    }
    for (const file of ['ws/f', 'ws/sub/f', 'ws/.git/config', 'root/f', 'root/deep/f', 'out/f'])
      writeFileSync(join(base, file), 'old');
    rmSync(join(base, 'ws/.agents/n'), { force: true });
    rmSync(join(base, 'ws/.aws/n'), { force: true });
    writeFileSync(join(base, 'ws/program'), '#!/bin/sh\necho ok\n', { mode: 0o755 });
    symlinkSync(folders.OUT, join(folders.WS, 'link'));
    symlinkSync(folders.WS, folders.WSLINK);
    symlinkSync(folders.ROOT, folders.ROOTLINK);
    if (process.getuid?.() === 0) {
      const secret = join(folders.OUT, 'private');
      writeFileSync(secret, 'x');
      ofAnotherUser(secret, 0o600);
      const setuid = join(folders.OUT, 'setuid');
      copyFileSync(ID, setuid);
      ofAnotherUser(setuid, 0o4755);
    }
  };
  reset();
  return { base, folders, reset };
}

/** Gives a file to another user. Inside a sandbox root cannot do that, and the file is removed. */
function ofAnotherUser(file: string, mode: number): void {
  try {
    chownSync(file, 12_345, 12_345);
    chmodSync(file, mode);
  } catch {
    rmSync(file);
  }
}

/** Empties a folder. Folders that a thread knows stay, so that the thread can be used again; so do the empty ones that stand for protected folders. */
function empty(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!KEPT.has(name)) rmSync(path, { recursive: true, force: true });
  }
}

/** A folder beside /tmp, which a policy makes writable. @param uid its owner */
export function temporaryBase(uid: number): string {
  const base = mkdtempSync('/var/tmp/execwire-sandbox-');
  chmodSync(base, 0o755);
  if (process.getuid?.() === 0) chownSync(base, uid, uid);
  return base;
}
