/** What is to be started or attached to, and the messages that say so. Knows no connection. */
import type { AttachParams, DetachableParams, ExecParams, Offsets, WireSize } from './wire.js';

/** How a command outlives its connections; its key is made when it is sent, unless the caller names one. */
export type DetachablePlan = Omit<DetachableParams, 'key'> & { readonly key: string | undefined };

export interface StartPlan {
  readonly params: Omit<ExecParams, 'processId' | 'detachable' | 'window'>;
  readonly detachable: DetachablePlan | undefined;
  /** Whether it may run as an ordinary command where the server has no room to keep its output. */
  readonly isDetachableOptional: boolean;
}

export interface AttachPlan {
  readonly key: string;
  readonly from: Offsets | undefined;
  readonly role: 'writer' | 'observer';
  readonly takeover: boolean;
  readonly screen: boolean;
}

/** Exactly one of `start` and `attach` is given. */
export interface CommandPlan {
  readonly start?: StartPlan;
  readonly attach?: AttachPlan;
  /** Window size of a terminal, as far as it is known. */
  readonly size: WireSize | undefined;
  /** Most bytes per stream that are unprocessed here. */
  readonly windowBytes: number;
  /** Whether it comes back with a picture of the screen in place of missed output. */
  readonly redraws?: boolean | undefined;
}

/** The start of a command. @param detachable how the server keeps it, or undefined */
export function execParams(
  { start, windowBytes }: CommandPlan,
  processId: string,
  kept: {
    readonly canDetach: boolean;
    readonly maxWindowBytes: number;
    readonly detachable: DetachableParams | undefined;
  },
): ExecParams {
  const { canDetach, detachable, maxWindowBytes } = kept;
  const bytes = detachable === undefined ? windowBytes : Math.min(windowBytes, maxWindowBytes);
  const params = { ...start?.params, processId, streamStdoutStderr: true } as ExecParams;
  return canDetach ? { ...params, window: { bytes }, detachable } : params;
}

/** The first attachment of this client to a command that it did not start. */
export function attachParams({ attach, size, windowBytes }: CommandPlan, processId: string): AttachParams {
  const { key = '', from, role, takeover, screen } = attach ?? {};
  const isWriter = role === 'writer';
  return {
    processId,
    key,
    role,
    from,
    window: { bytes: windowBytes },
    screen: screen || undefined,
    takeover: isWriter ? takeover : undefined,
    size: isWriter ? size : undefined,
  };
}

/** The return of this client to a command, at the position where it stopped. Takes over, because its own old attachment may still be there. */
export function returnParams(
  plan: CommandPlan,
  processId: string,
  at: {
    readonly key: string;
    readonly from: Offsets;
    readonly windowBytes: number;
    readonly size: WireSize | undefined;
  },
): AttachParams {
  const { from, size, windowBytes } = at;
  const { role = 'writer' } = plan.attach ?? {};
  const screen = plan.redraws === true;
  const attach = { key: at.key, from: screen ? undefined : from, role, takeover: true, screen };
  return attachParams({ attach, size, windowBytes }, processId);
}
