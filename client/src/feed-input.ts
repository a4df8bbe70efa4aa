/** Writes a whole input to a command, as fast as the command reads it. Knows no kind of input and no result. */
import { isStdinClosed } from './input-feed.js';
import { type Input, piecesOf } from './input-source.js';
import type { RemoteCommand } from './remote-command.js';

/**
 * Resolves when the input has ended or the command reads no more of it.
 * @throws what the input throws, or a refusal of the server that leaves the command waiting
 */
export async function feedInput(input: Input, command: RemoteCommand): Promise<void> {
  const pieces = piecesOf(input);
  void command.reply.catch(() => {}).then(() => stop(input, pieces));
  try {
    for await (const piece of pieces) await command.input.write(piece);
    await command.input.close();
  } catch (error) {
    // A program need not read all of its input, and a source that is stopped at its end may complain.
    if (!isStdinClosed(error) && !command.place.hasEnded) throw error;
  }
}

/** Tells the source of an input that it is no longer read. */
function stop(input: Input, pieces: AsyncGenerator<Uint8Array, void, undefined>): void {
  // A stream of Node that waits for data cannot be ended through its iterator.
  const { destroy } = input as { destroy?: unknown };
  if (typeof destroy === 'function') destroy.call(input);
  pieces.return().catch(() => {});
}
