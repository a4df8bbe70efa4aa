/** What a command refuses, by a reason that each dialect puts into its own words. Knows no wire. */

/**
 * - `inputClosed`: a write after the end of input, or to a command that has ended or closed its input
 * - `inputFull`: more waits for the command than is kept
 */
export type CommandErrorReason = 'inputClosed' | 'inputFull';

/** A refusal; nothing was done. */
export class CommandError extends Error {
  readonly reason: CommandErrorReason;

  constructor(reason: CommandErrorReason) {
    super(reason);
    this.name = 'CommandError';
    this.reason = reason;
  }
}
