// Owns the counting of executions from what the commands themselves left behind. Knows nothing of replies.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * @param {readonly string[]} folders working directories of all replicas that ever ran
 * @param {readonly string[]} ids every request's unique id
 * @returns {Promise<{ twice: string[], never: string[] }>} ids that ran more than once, and ids that did not run
 */
export async function countExecutions(folders, ids) {
  const times = new Map();
  for (const folder of folders) {
    const text = await readFile(join(folder, 'journal'), 'utf8').catch(() => '');
    for (const line of text.split('\n')) if (line !== '') times.set(line, (times.get(line) ?? 0) + 1);
  }
  return { twice: ids.filter((id) => (times.get(id) ?? 0) > 1), never: ids.filter((id) => !times.has(id)) };
}
