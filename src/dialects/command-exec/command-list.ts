/** Describes commands for `command/exec/list`. Knows no process: a function that is handed in reads what they use of the machine. */
import { principalKey } from '../../auth/principal-key.js';
import type { DetachableCommand } from '../../commands/detachable.js';
import type { RunningCommand } from '../../commands/running-command.js';
import type { OutputName } from '../../process/os-process.js';
import type { TreeUsage } from '../../process/tree-usage.js';
import type { MethodResult } from '../../protocol/methods.js';
import type { Session } from '../../session/session.js';
import { keptRange } from './attachment-port.js';
import type { CommandExec } from './command-exec.js';
import type { ExecRequest } from './exec-request.js';
import type { NamedCommand } from './session-commands.js';

type Row = MethodResult<'command/exec/list'>['commands'][number];

/** Reads what process trees use, by the pid of their leader. Missing ones could not be read. */
export type ListUsage = (pids: readonly number[]) => ReadonlyMap<number, TreeUsage>;

export interface ListOptions {
  /** Also commands of other connections of the same principal. */
  readonly ofPrincipal: boolean;
  /** Given if details are wanted. */
  readonly usage: ListUsage | undefined;
}

/** In the order of their start on this connection, then those of the principal. */
export function listCommands(
  exec: CommandExec,
  session: Session,
  { ofPrincipal, usage }: ListOptions,
): MethodResult<'command/exec/list'> {
  const own = exec.of(session);
  const rows = own.map((named) => rowOf(named, session));
  if (ofPrincipal) {
    const viewed = new Set(own.map(({ detachable }) => detachable));
    for (const named of exec.ofOthers(session)) rows.push(rowOf(named, undefined));
    for (const command of exec.detachables.of(principalKey(session.principal))) {
      if (viewed.has(command)) continue;
      const request = exec.requestOf(command);
      if (request !== undefined)
        rows.push(rowOf({ ...NOT_VIEWED, running: command.running, request, detachable: command }, undefined));
    }
  }
  const used = usage?.(rows.flatMap(({ running }) => running.command.pid ?? []));
  return {
    commands: rows.map(({ row, running, request }) =>
      used === undefined ? row : { ...row, ...detailsOf(running, request, { exec, used }) },
    ),
  };
}

const NOT_VIEWED = { processId: undefined, viewedAs: 'command/exec', attachment: undefined, streams: [] } as const;

interface DescribedCommand {
  readonly row: Row;
  readonly running: RunningCommand;
  readonly request: ExecRequest;
}

/** @param session the connection that can name it, if that is the asking one */
function rowOf(
  { processId, viewedAs, running, request, detachable, attachment, streams }: NamedCommand,
  session: Session | undefined,
): DescribedCommand {
  const { command, startedAtMs } = running;
  const end = detachable?.end;
  const ordinaryRange = (stream: OutputName): Row['stdout'] => {
    const next = streams.find(({ name }) => name === stream)?.log.next ?? running.outputs[stream].receivedBytes;
    return { oldest: next, next };
  };
  const row: Row = {
    processId: session === undefined || viewedAs !== 'command/exec' ? null : (processId ?? null),
    pid: end === undefined ? (command.pid ?? null) : null,
    tty: request.tty !== undefined,
    state: stateOf(running, detachable),
    startedAtMs,
    key: detachable?.key ?? null,
    role: session === undefined ? null : (attachment?.role ?? null),
    attachments: detachable === undefined ? 1 : detachable.clientCount,
    stdout: detachable === undefined ? ordinaryRange('stdout') : keptRange(detachable, 'stdout'),
    stderr: detachable === undefined ? ordinaryRange('stderr') : keptRange(detachable, 'stderr'),
    expiresAtMs: detachable?.leftMs === undefined ? null : Math.round(Date.now() + detachable.leftMs),
    ...(end === undefined ? {} : { exitCode: end.exitCode }),
  };
  return { row, running, request };
}

function stateOf({ command }: RunningCommand, detachable: DetachableCommand | undefined): Row['state'] {
  if (detachable?.end !== undefined) return 'ended';
  if (command.state === 'running' && detachable?.clientCount === 0) return 'detached';
  return command.state === 'closed' ? 'exiting' : command.state;
}

function detailsOf(
  { command, input, outputs }: RunningCommand,
  request: ExecRequest,
  { exec, used }: { exec: CommandExec; used: ReadonlyMap<number, TreeUsage> },
): Partial<Row> {
  const usage = command.state === 'closed' || command.pid === undefined ? undefined : used.get(command.pid);
  return {
    command: [...request.argv],
    cwd: exec.cwdOf(request),
    cpuMs: usage?.cpuMs ?? null,
    rssBytes: usage?.rssBytes ?? null,
    bytesIn: input?.takenBytes ?? 0,
    bytesOut: outputs.stdout.receivedBytes + outputs.stderr.receivedBytes,
    dialect: request.dialect,
    metadata: request.metadata ?? null,
  };
}
