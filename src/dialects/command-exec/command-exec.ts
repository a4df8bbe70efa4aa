/**
 * Runs commands for connections: starts them in the table, keeps detachable ones beyond their connection, and knows which connection can name which
 * command. Knows no Fastify, no transport and no text of the wire.
 */
import { principalKey } from '../../auth/principal-key.js';
import type { Attachment } from '../../commands/attachment.js';
import type { CommandEnd, CommandEvent } from '../../commands/command.js';
import { CommandError } from '../../commands/command-error.js';
import type { DetachableCommand } from '../../commands/detachable.js';
import type { Detachables } from '../../commands/detachables.js';
import type { CommandStart } from '../../commands/table.js';
import { rpcError } from '../../protocol/errors.js';
import type { Call } from '../../rpc/connection.js';
import type { Session } from '../../session/session.js';
import { NotifyingPort } from './attachment-port.js';
import type { CommandExecOptions } from './command-exec-options.js';
import { commandIdentity } from './command-identity.js';
import type { DetachableRequest, DialectName, ExecRequest, ViewRequest } from './exec-request.js';
import { allSent, outputsOf } from './ordinary-outputs.js';
import { type NamedCommand, SessionCommands } from './session-commands.js';

/** How a command or a view of it ended. */
export interface RanCommand {
  readonly end: CommandEnd;
  readonly named: NamedCommand;
}

/** A command that is answered at its start. */
export interface SpawnedCommand {
  /** Settles when the process exists. @throws {CommandError} {SpawnError} when there is none */
  readonly started: Promise<unknown>;
  /** As that of {@link CommandExec.run}. */
  readonly ended: Promise<RanCommand>;
}

export class CommandExec {
  readonly #options: CommandExecOptions;
  readonly #sessions = new Map<Session, SessionCommands>();
  readonly #requests = new WeakMap<DetachableCommand, ExecRequest>();

  constructor(options: CommandExecOptions) {
    this.#options = options;
  }

  get detachables(): Detachables {
    return this.#options.detachables;
  }

  /** The request that started a detachable command. */
  requestOf(command: DetachableCommand): ExecRequest | undefined {
    return this.#requests.get(command);
  }

  /** Makes a command that another dialect started known to lists and views. */
  adopt(command: DetachableCommand, request: ExecRequest): void {
    this.#requests.set(command, request);
  }

  /** Absolute directory of a request. */
  cwdOf(request: ExecRequest): string {
    return this.#options.cwdOf(request);
  }

  /** Commands that one connection started or views, in that order. */
  of(session: Session): NamedCommand[] {
    return [...(this.#sessions.get(session)?.all ?? [])];
  }

  /** Ordinary commands of other connections of the same principal. */
  ofOthers(session: Session): NamedCommand[] {
    const principal = principalKey(session.principal);
    return [...this.#sessions].flatMap(([other, commands]) =>
      other === session || principalKey(other.principal) !== principal
        ? []
        : [...commands.all].filter(({ detachable }) => detachable === undefined),
    );
  }

  /** A command by its client's name for it; undefined for the names of other connections, too. */
  find(session: Session, processId: string, dialect: DialectName = 'command/exec'): NamedCommand | undefined {
    return this.#sessions.get(session)?.find(processId, dialect);
  }

  /**
   * Starts a command, or views the one that its key names already; the promise is that of its end.
   * @throws {RpcError} duplicateProcessId, serverDraining. @throws {CommandError} of a start or a view. @throws {SpawnError} later
   */
  run(request: ExecRequest, session: Session, call: Call): Promise<RanCommand> {
    const commands = this.#commandsOf(session, request.processId);
    const { detachable, processId } = request;
    if (detachable === undefined || processId === undefined)
      return this.#runOrdinary(request, { session, call, commands });
    const known = this.detachables.find(principalKey(session.principal), detachable.key);
    if (known !== undefined) {
      if (known.options.identity !== this.#identityOf(request)) throw new CommandError('keyConflict', detachable);
      return this.#view(known, this.#viewOfStart(request, processId, true), { session, call, commands });
    }
    // A known key is served in a drain, so the method table alone cannot decide.
    if (this.#options.isDraining()) throw rpcError('serverDraining');
    const command = this.#startDetachable(request, detachable, { session, call, commands });
    return this.#view(command, this.#viewOfStart(request, processId, false), { session, call, commands });
  }

  /**
   * Starts an ordinary command that is answered at its start.
   * @throws {RpcError} duplicateProcessHandle
   */
  spawn(request: ExecRequest, session: Session, call: Call): SpawnedCommand {
    const commands = this.#commandsOf(session, request.processId, request.dialect);
    let tellStarted = (): void => {};
    const started = new Promise<void>((resolve) => {
      tellStarted = resolve;
    });
    const onEvent = (event: CommandEvent): void => {
      if (event === 'started') tellStarted();
    };
    const ended = this.#runOrdinary(request, { session, call, commands }, onEvent);
    return { started: Promise.race([started, ended]), ended };
  }

  /** Views a detachable command; the promise is that of its end. @throws {RpcError} duplicateProcessId @throws {CommandError} */
  attach(request: ViewRequest, session: Session, call: Call): Promise<RanCommand> {
    const commands = this.#commandsOf(session, request.processId);
    const command = this.detachables.find(principalKey(session.principal), request.key);
    if (command === undefined) throw new CommandError('keyNotFound', request);
    const tty = this.requestOf(command)?.tty;
    if (request.wantsScreen && tty === undefined) throw rpcError('screenWithoutTty');
    if (request.size !== undefined && (tty === undefined || request.role !== 'writer'))
      throw rpcError('sizeOfObserver');
    return this.#view(command, { ...request, isResumed: true }, { session, call, commands });
  }

  /** Calls back once, when the kernel has taken a reply that is about to be queued, or never will. */
  holdReply(session: Session, release: () => void): void {
    const commands = this.#sessions.get(session);
    if (commands === undefined) {
      release();
      return;
    }
    const { outbox } = session.connection;
    const onTaken = (): void => {
      outbox.forget(onTaken);
      if (commands.heldReplies.delete(onTaken)) release();
    };
    commands.heldReplies.add(onTaken);
    // AFTER the reply is queued, which happens after its handler has returned.
    setImmediate(() => (outbox.isFull ? outbox.whenWritable(onTaken) : onTaken()));
  }

  /** The client sends nothing more: ends the commands it started, so that their replies come. Its views of detachable commands end, too. */
  endInput(session: Session): void {
    for (const { attachment, running } of this.of(session)) {
      if (attachment === undefined) running.command.terminate();
      else attachment.leave('requested');
    }
  }

  /** Ends the commands that a connection started, and its views of others. */
  closeSession(session: Session): void {
    const commands = this.#sessions.get(session);
    if (commands === undefined) return;
    this.#sessions.delete(session);
    for (const { attachment } of [...commands.all]) attachment?.leave('left');
    for (const onTaken of [...commands.heldReplies]) onTaken();
    this.#options.table.closeOwner(commands.owner);
  }

  #commandsOf(session: Session, processId: string | undefined, dialect: DialectName = 'command/exec'): SessionCommands {
    let commands = this.#sessions.get(session);
    if (commands === undefined) {
      commands = new SessionCommands(this.#options.table.openOwner());
      this.#sessions.set(session, commands);
    }
    if (processId !== undefined && commands.find(processId, dialect) !== undefined) {
      throw dialect === 'process/spawn'
        ? rpcError('duplicateProcessHandle', { processHandle: processId })
        : rpcError('duplicateProcessId', { processId });
    }
    return commands;
  }

  #requireRoom(commands: SessionCommands): void {
    if (commands.all.size >= this.#options.maxProcessesPerConnection) {
      throw new CommandError('noRoom', { bound: 'maxProcessesPerConnection' });
    }
  }

  async #runOrdinary(
    request: ExecRequest,
    { session, call, commands }: Caller,
    onEvent?: (event: CommandEvent) => void,
  ): Promise<RanCommand> {
    const { table, captures, maxBufferedBytes } = this.#options;
    this.#requireRoom(commands);
    table.requireRoom();
    if (!request.streamOutput && captures.isFull) throw new CommandError('noRoom', { bound: 'maxBufferedTotalBytes' });
    const { outputs, streams } = outputsOf(request, { session, captures, maxBufferedBytes });
    const running = table.start(commands.owner, { ...this.startOf(request, session, call), outputs, onEvent });
    const { processId, dialect: viewedAs } = request;
    const named = { processId, viewedAs, running, request, detachable: undefined, attachment: undefined, streams };
    commands.add(named);
    try {
      const end = await running.ended;
      await allSent(streams);
      return { end, named };
    } finally {
      // The id is free BEFORE the reply goes out, because a client may use it again as soon as it has read the reply.
      commands.remove(named);
    }
  }

  #startDetachable(
    request: ExecRequest,
    wanted: DetachableRequest,
    { session, call, commands }: Caller,
  ): DetachableCommand {
    this.#requireRoom(commands);
    const command = this.detachables.start({
      ...wanted,
      principal: principalKey(session.principal),
      identity: this.#identityOf(request),
      tty: request.tty,
      capBytes: request.outputCapBytes,
      start: this.startOf(request, session, call),
    });
    this.#requests.set(command, request);
    return command;
  }

  async #view(command: DetachableCommand, view: View, { session, call, commands }: Caller): Promise<RanCommand> {
    this.#requireRoom(commands);
    const { processId, role, windowBytes, isResumed } = view;
    const { events, onReturn } = this.#options;
    const port = new NotifyingPort({ session, processId, role, command: () => command, windowBytes, events });
    const attachment: Attachment = command.attach({ ...view, port });
    const request = this.#requests.get(command);
    if (request === undefined) throw new Error('a detachable command without its request');
    if (isResumed) onReturn?.(request, call);
    const named: NamedCommand = {
      processId,
      viewedAs: 'command/exec',
      running: command.running,
      request,
      detachable: command,
      attachment,
      streams: [],
    };
    commands.add(named);
    command.begin(attachment);
    try {
      return { end: await attachment.done, named };
    } finally {
      commands.remove(named);
    }
  }

  /** A start is a writer without any output yet, so a lost beginning is a gap. */
  #viewOfStart(request: ExecRequest, processId: string, isResumed: boolean): View {
    const { windowBytes, tty } = request;
    const from = tty === undefined ? { stdout: 0, stderr: 0 } : { stdout: 0 };
    const size = isResumed ? tty : undefined;
    return { processId, windowBytes, from, size, isResumed, role: 'writer', takesOver: true, wantsScreen: false };
  }

  /** How the table is to start what a request asks for. */
  startOf(request: ExecRequest, session: Session, call: Call): Omit<CommandStart, 'outputs'> {
    const observation = this.#options.observe?.(request, session, call);
    return {
      prepare: (marker, owner) => this.#options.prepare(request, { marker, owner, traceEnv: observation?.env ?? {} }),
      timeoutMs: request.timeoutMs,
      readsInput: request.streamStdin,
      observation,
    };
  }

  #identityOf(request: ExecRequest): string {
    return commandIdentity(request, this.#options.cwdOf(request));
  }
}

/** A connection and the commands it can name. */
interface Caller {
  readonly session: Session;
  readonly call: Call;
  readonly commands: SessionCommands;
}

type View = Omit<ViewRequest, 'key'> & { readonly isResumed: boolean };
