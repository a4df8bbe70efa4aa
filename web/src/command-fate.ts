/** What a tab says of a command that it is not attached to any more: only what is known. Draws nothing. */
import { LostError, RpcError, UnknownOutcomeError } from '../../client/src/browser.js';

/** What is known of the command. */
export interface KnownCommand {
  /** Undefined while no server has said that it runs. */
  readonly key: string | undefined;
  /** The instance of the server that ran it. */
  readonly serverId: string | undefined;
}

/** How the tab goes on, and what it says. */
export interface Fate {
  readonly state: 'taken' | 'away' | 'gone';
  readonly text: string;
}

/** @param error that the command ended with, without an exit code @param serverId the instance that answers now */
export function fateOf(error: unknown, command: KnownCommand, serverId: string | undefined): Fate {
  if (error instanceof UnknownOutcomeError && error.detached === 'takeover') {
    return { state: 'taken', text: 'This terminal was taken over by another client, and goes on there.' };
  }
  if (reasonOf(error) === 'keyNotFound') {
    const isSameServer = error instanceof LostError || (serverId !== undefined && serverId === command.serverId);
    const text = isSameServer
      ? 'This command is lost: the server does not keep it any more. It has ended, or nobody came back to it in time.'
      : 'What became of this command is unknown: another server answers now, and the one that ran it was restarted or replaced.';
    return { state: 'gone', text };
  }
  if (error instanceof LostError) return { state: 'gone', text: `This command is lost: ${error.message}` };
  if (command.key === undefined || error instanceof RpcError) {
    return { state: 'gone', text: `It was not started: ${textOf(error)}` };
  }
  return { state: 'away', text: 'No server can be reached. What runs there is unknown.' };
}

/** The text of something that was thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The server's name of an error, also where the client tells what follows from it. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof RpcError) return error.reason;
  return error instanceof Error && error.cause instanceof RpcError ? error.cause.reason : undefined;
}
