/** What commands refuse, by a reason that each dialect puts into its own words. Knows no wire. */

/** With each reason what it says of the case. */
export interface CommandErrorDetails {
  /** A write after the end of input, or to a command that has ended or closed its input. */
  readonly inputClosed: object;
  /** More waits for the command than is kept. */
  readonly inputFull: object;
  /** A write whose first byte leaves a hole behind those that came before it. */
  readonly inputGap: { readonly offset: number; readonly next: number };
  /** A bound is reached and nothing was started. */
  readonly noRoom: { readonly bound: string };
  /** A key that names another command. */
  readonly keyConflict: { readonly key: string };
  /** A key that names nothing. */
  readonly keyNotFound: { readonly key: string };
  /** What is to be forgotten has not ended. */
  readonly stillRunning: { readonly key: string };
  /** Somebody else is the writer. */
  readonly writerPresent: object;
  /** A position behind the end of the stream. */
  readonly offsetAhead: { readonly stream: string; readonly offset: number; readonly next: number };
  /** A view of a command has ended before the command. */
  readonly detached: { readonly why: DetachReason };
}

export type CommandErrorReason = keyof CommandErrorDetails;

/** Why a view ended before its command: another writer came, its client asked for it or left, or its client acknowledged nothing for too long. */
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
