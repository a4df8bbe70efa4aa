/** `execwire install`: copies the runtime folder that this program runs from, so that an image without any other program can fill a volume. */
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf } from '../../client/src/errors.js';
import { runtimeFolder } from '../config/client-settings.js';
import { describedCommand, requiredWord } from './described-command.js';
import { CliError } from './exit-codes.js';
import { printText } from './out-stream.js';

/** Name of the copy in the folder that is given. */
const NAME = 'execwire';

export const install = describedCommand({
  name: 'install',
  summary: 'Copies the runtime folder into a volume.',
  usage: 'DIR',
  flags: [],
  notes: `For an init container: the copy is DIR/${NAME}, and DIR/${NAME}/bin/execwire needs nothing of the image it then runs in. A copy that is there
already is replaced. Only the program of a runtime folder has something to copy.`,
  examples: [['execwire install /shared', `Makes /shared/${NAME}.`]],
  maxWords: 1,
  async run(given) {
    const folder = resolve(requiredWord(given, 'install', 'DIR'));
    const from = runtimeFolder();
    if (from === undefined) {
      throw new CliError(
        'there is nothing to copy: this program does not run from a runtime folder (`npm run bundle`)',
      );
    }
    try {
      await printText(`${await copyInto(folder, from)}\n`);
    } catch (error) {
      throw new CliError(`install ${folder}: ${messageOf(error)}`);
    }
    return 0;
  },
});

/** Under another name first, so that nobody ever starts half a copy. @returns its path */
async function copyInto(folder: string, from: string): Promise<string> {
  const place = join(folder, NAME);
  if (resolve(from) === place) throw new Error('it is the folder that this program runs from');
  await mkdir(folder, { recursive: true });
  const unfinished = await mkdtemp(join(folder, `.${NAME}-`));
  try {
    await cp(from, join(unfinished, 'new'), { recursive: true, verbatimSymlinks: true });
    await rename(place, join(unfinished, 'old')).catch(ignoreMissing);
    await rename(join(unfinished, 'new'), place);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return place;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
