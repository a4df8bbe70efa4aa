/** `execwire logs`: prints the output that a server keeps of a command, and follows it. */
import type { Run } from '../../client/src/node.js';
import { CONNECTION_FLAGS, type Connection, withConnection } from './connection.js';
import { describedCommand, requiredWord } from './described-command.js';
import { keptCommand } from './kept-commands.js';
import { droppedTexts, type Kept, keptAtAttachment } from './kept-output.js';
import { standardError, standardOutput } from './out-stream.js';
import { asUnknown, runOnPipes } from './pipe-session.js';
import { say } from './say.js';

export const logs = describedCommand({
  name: 'logs',
  summary: 'Prints the output that is kept of a command.',
  usage: '[flags] KEY',
  flags: [
    { name: 'follow', short: 'f', description: 'Goes on to the end, and ends as the command does.' },
    ...CONNECTION_FLAGS,
  ],
  notes: `Watches and disturbs nobody. Without -f it ends with 0 as soon as everything so far is printed. The server keeps the last part of long
output; how much is missing is said on standard error.`,
  examples: [
    ['execwire logs "$key"', 'Prints what is there.'],
    ['execwire logs -f "$key"', "Follows it, and ends with the command's own exit code."],
  ],
  maxWords: 1,
  async run(given) {
    const key = requiredWord(given, 'logs', 'KEY');
    return withConnection(given, { key }, async (connection) => {
      await keptCommand(connection.box, key);
      return given.has('follow') ? follow(connection, key) : printKept(connection, key);
    });
  },
});

async function follow(connection: Connection, key: string): Promise<number> {
  const run = connection.box.attach(key, { role: 'observer', buffer: false });
  const how = { feedsInput: false, printsOutput: true, onSignal: 'leave', isKept: true } as const;
  try {
    return (await runOnPipes(run, connection, how)).code;
  } catch (error) {
    throw asUnknown(error, run);
  }
}

/** Prints up to where the output is at the moment. */
async function printKept({ box }: Connection, key: string): Promise<number> {
  const kept = keptAtAttachment(box);
  const run = box.attach(key, { role: 'observer', buffer: false, reject: false });
  // An unknown key has no end; its refusal is the result.
  await printWhatIsKept(run, await Promise.race([kept, run.then(() => kept)]));
  await run.detach().catch(() => {});
  return 0;
}

async function printWhatIsKept(run: Run, kept: Kept): Promise<void> {
  const printed = { stdout: kept.stdout.oldest, stderr: kept.stderr.oldest };
  droppedTexts(kept).forEach(say);
  const out = { stdout: standardOutput(), stderr: standardError() };
  const isDone = (): boolean => printed.stdout >= kept.stdout.next && printed.stderr >= kept.stderr.next;
  if (isDone()) return;
  for await (const { stream, bytes } of run.chunks) {
    await out[stream].write(bytes.subarray(0, Math.max(0, kept[stream].next - printed[stream])));
    printed[stream] += bytes.length;
    if (isDone()) break;
  }
  await out.stdout.flush();
  await out.stderr.flush();
}
