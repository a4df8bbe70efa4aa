/** Refusals of commands, by reason. Each dialect puts them into its own words. Knows no wire. */

/** The details that each reason carries. */
export interface CommandErrorDetails {
  /** A write after the end of input, or to a command that has ended or closed its input. */
  readonly inputClosed: object;
  /** More bytes wait for the command than are kept. */
  readonly inputFull: object;
  /** A write whose first byte leaves a hole after the bytes before it. */
  readonly inputGap: { readonly offset: number; readonly next: number };
  /** A bound is reached and nothing was started. */
  readonly noRoom: { readonly bound: string };
  /** A key of another command. */
  readonly keyConflict: { readonly key: string };
  /** A key of no command. */
  readonly keyNotFound: { readonly key: string };
  /** The command to be forgotten has not ended. */
  readonly stillRunning: { readonly key: string };
  /** Another view is the writer. */
  readonly writerPresent: object;
  /** A position after the end of the stream. */
  readonly offsetAhead: { readonly stream: string; readonly offset: number; readonly next: number };
  /** A view of a command has ended before the command. */
  readonly detached: { readonly why: DetachReason };
}

export type CommandErrorReason = keyof CommandErrorDetails;

/**
 * Why a view ended before its command: another writer took over, its client asked for it or left, or its client acknowledged nothing for too long.
 */
export type DetachReason = 'takeover' | 'requested' | 'fellBehind' | 'left';

/** A refusal; nothing was done. */
export class CommandError<R extends CommandErrorReason = CommandErrorReason> extends Error {
  readonly reason: R;
  readonly details: CommandErrorDetails[R];

  constructor(reason: R, details: CommandErrorDetails[R]) {
    super(reason);
    this.name = 'CommandError';
    this.reason = reason;
    this.details = details;
  }
}
