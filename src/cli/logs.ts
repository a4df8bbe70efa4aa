/** `execwire logs`: prints the output that a server keeps of a command, and follows it. */
import { fieldOf } from '../../client/src/errors.js';
import type { Run, StreamName, StreamRange } from '../../client/src/node.js';
import { CONNECTION_FLAGS, type Connection, withConnection } from './connection.js';
import { describedCommand, requiredWord } from './described-command.js';
import { CliError, exitCodeOfResult } from './exit-codes.js';
import { keptCommand } from './kept-commands.js';
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
    return exitCodeOfResult(await runOnPipes(run, connection, how));
  } catch (error) {
    throw asUnknown(error, run);
  }
}

/** Prints up to where the output is at the moment. */
async function printKept({ box }: Connection, key: string): Promise<number> {
  const kept = new Promise<Kept>((resolve, reject) => {
    box.on('command/exec/attached', (attached) => {
      const [stdout, stderr] = [fieldOf(attached, 'stdout'), fieldOf(attached, 'stderr')];
      if (isRange(stdout) && isRange(stderr)) resolve({ stdout, stderr });
      else reject(new CliError('the server does not say what it keeps of the output; is it an execwire server?'));
    });
  });
  kept.catch(() => {});
  const run = box.attach(key, { role: 'observer', buffer: false, reject: false });
  // An unknown key has no end; its refusal is the result.
  await printWhatIsKept(run, await Promise.race([kept, run.then(() => kept)]));
  await run.detach().catch(() => {});
  return 0;
}

type Kept = Readonly<Record<StreamName, StreamRange>>;

function isRange(value: unknown): value is StreamRange {
  return typeof fieldOf(value, 'oldest') === 'number' && typeof fieldOf(value, 'next') === 'number';
}

async function printWhatIsKept(run: Run, kept: Kept): Promise<void> {
  const printed = { stdout: kept.stdout.oldest, stderr: kept.stderr.oldest };
  for (const stream of ['stdout', 'stderr'] as const) {
    if (printed[stream] > 0) say(`the first ${printed[stream]} bytes of ${stream} are not kept any more`);
  }
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
