/** Writes a whole input to a command, as fast as the command reads it. Knows no kind of input and no result. */
import { isStdinClosed } from './input-feed.js';
import { bytesOf, type InputSource } from './input-source.js';
import type { RemoteCommand } from './remote-command.js';

/**
 * Ends standard input behind it, unless that stays open for more. Resolves when the input has ended or the command reads no more of it.
 * @throws what the input throws, or a refusal of the server that leaves the command waiting
 */
export async function feedInput(
  { pieces, stop }: InputSource,
  command: RemoteCommand,
  staysOpen: boolean,
): Promise<void> {
  // A source that is stopped at its end may complain.
  command.reply.then(stop, stop).catch(() => {});
  try {
    for await (const piece of pieces) {
      if (command.place.hasEnded) return;
      await command.input.write(bytesOf(piece));
    }
    if (!staysOpen) await command.input.end();
  } catch (error) {
    // A program need not read all of its input.
    if (!isStdinClosed(error) && !command.place.hasEnded) throw error;
  }
}
