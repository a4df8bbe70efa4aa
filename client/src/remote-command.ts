/**
 * The life of one command on the wire, over as many connections as it takes: starts it or attaches to it, comes back after a break, and ends with
 * the reply or with what is known instead. Knows no reader, no capture and no result. Long because all steps of this life share its fields.
 *
 *     waiting → placed (sent on a session) ⇄ away (detachable only) → ended
 */
import { orAborted } from './abort-signal.js';
import { newKey } from './affinity.js';
import { backOffMs } from './back-off.js';
import {
  askedDelayMs,
  type CommandFacts,
  HAS_DETACHED,
  NoReply,
  neverSent,
  nextStep,
  unknownBy,
} from './command-fate.js';
import { CommandPlace, type Place } from './command-place.js';
import type { CommandPlan, DetachablePlan } from './command-plan.js';
import { InputFeed, type InputMessage, stdinClosed } from './input-feed.js';
import type { Link } from './link.js';
import { BOTH, type Output } from './output.js';
import { type Platform, sleep } from './platform.js';
import type { CommandListener, Session } from './session.js';
import type { AttachParams, ExecParams, ExecReply, Notifications, Offsets, StreamName, WireSize } from './wire.js';

/** Acknowledged after so much of a window: often enough that the server never waits for a reader that reads. */
const ACKS_PER_WINDOW = 4;
/** Least window of an attachment that comes back while much is unread. */
const SMALLEST_WINDOW_BYTES = 16 * 1024;

/** Where commands live. */
export interface CommandHome {
  readonly platform: Platform;
  /** Milliseconds of trying again where a server refuses for now; 0 to try once. */
  readonly retryMaxMs: number;
  /** The link that takes new work. */
  linkForWork(): Link;
  /** The link that leads to the server of a key. */
  linkOf(key: string): Link;
}

/** One command. */
export class RemoteCommand implements CommandListener, CommandFacts {
  declare readonly input: InputFeed;
  /** Where it can be spoken to. */
  readonly place = new CommandPlace();
  /** The reply; rejects with {@link NoReply} or an {@link RpcError}. */
  declare readonly reply: Promise<ExecReply>;
  /** Name of a detachable command. Changes until it is sent, and never after. */
  declare key: string | undefined;
  declare readonly home: CommandHome;
  declare readonly plan: CommandPlan;
  readonly #output: Output;
  #detachable: DetachablePlan | undefined;
  #size: WireSize | undefined;
  #giveUp = new AbortController();
  /** Whether the server has shown that the command runs. */
  hasStarted = false;
  /** The server that may have started it; only the same one can tell. */
  declare serverId: string | undefined;
  #wasSent = false;
  isAttached = false;
  declare detachReason: Notifications['command/exec/detached']['reason'] | undefined;
  /** What the server's count of input is ahead of ours: input of other writers. */
  #inputShift = 0;
  /** Position behind the last input that the server has for certain, by our count, and bytes behind it that it may have. */
  #inputTaken = 0;
  #underWay = 0;
  /** Where it attaches now. It is spoken to there only after the server's word on its input, so that input goes behind that of others. */
  #arriving: Place | undefined;
  readonly #acknowledged = { stdout: 0, stderr: 0 };
  /** The window of the present attachment. */
  #windowBytes: number;
  #onStarted: (started: Notifications['command/exec/attached']) => void = () => {};
  /** Settles with what the server says at the start of a detachable command; never for others. */
  readonly attached = new Promise<Notifications['command/exec/attached']>((resolve) => {
    this.#onStarted = resolve;
  });
  constructor(home: CommandHome, plan: CommandPlan, output: Output) {
    this.home = home;
    this.plan = plan;
    this.#output = output;
    this.#detachable = plan.start?.detachable;
    this.#size = plan.size;
    this.#windowBytes = plan.windowBytes;
    this.key = plan.attach?.key;
    const maxBytes = async (): Promise<number> => (await this.place.wait())?.session.maxWriteBytes ?? 1;
    this.input = new InputFeed((message) => this.#write(message), maxBytes);
    this.reply = this.#drive();
    // The owner looks at it a moment later.
    this.reply.catch(() => {});
  }

  /** Whether it goes on without the connection of this session, which the server announces at its start. */
  isKeptBy(session: Session): boolean {
    return session.canDetach && (this.plan.attach !== undefined || this.#detachable !== undefined);
  }

  /** Whether the server waits for readers that stop. */
  get isWindowed(): boolean {
    return this.place.current?.session.canDetach ?? true;
  }

  /** Whether it only watches what others own. */
  get isObserver(): boolean {
    return this.plan.attach?.role === 'observer';
  }

  /** Ends it here if it was not sent yet. @returns whether that was so */
  abandon(): boolean {
    const details = { wasSent: false, detached: 'requested' } as const;
    if (!this.#wasSent)
      this.#giveUp.abort(new NoReply(this.isObserver ? 'unknown' : 'terminated', HAS_DETACHED, details));
    return !this.#wasSent;
  }

  async resize(size: WireSize): Promise<void> {
    this.#size = size;
    await this.place.request('command/exec/resize', () => ({ size }));
  }

  /** Tells the server what is processed, a few times a window. */
  acknowledge(stream: StreamName, offset: number): void {
    const place = this.place.current;
    if (place?.session.canDetach !== true || offset - this.#acknowledged[stream] < this.#windowBytes / ACKS_PER_WINDOW)
      return;
    this.#acknowledged[stream] = offset;
    place.session.rpc.notify('command/exec/ack', { processId: place.processId, stream, offset });
  }

  onOutput({ stream, deltaBase64, offset }: Notifications['command/exec/outputDelta']): void {
    this.hasStarted = true;
    const bytes = this.home.platform.decodeBase64(deltaBase64);
    const next = this.#output.received[stream];
    const start = offset ?? next;
    // Bytes that came before a break are not told twice; bytes that are missing without a word are a gap.
    if (start > next) this.#output.gap(stream, start);
    this.#output.push(stream, bytes.subarray(Math.max(0, next - start)));
  }

  onAttached(attached: Notifications['command/exec/attached']): void {
    const { stdinAccepted, replayBytes } = attached;
    const { attach } = this.plan;
    // A command that keeps less than a window may wait for an acknowledgement before the window is full.
    this.#windowBytes = Math.min(this.#windowBytes, replayBytes ?? this.#windowBytes);
    if (this.isAttached) {
      // Another writer was there in the meantime: our next byte comes behind theirs. A message of ours was taken whole, or not at all.
      const more = stdinAccepted - this.#inputShift - this.#inputTaken;
      this.#inputShift += more < this.#underWay ? more : more - this.#underWay;
    } else if (attach !== undefined) {
      this.#beginAt({ ...attach.from });
      // A picture of the screen stands for everything before it.
      if (!attach.screen) for (const stream of BOTH) this.#output.gap(stream, attached[stream].oldest);
      this.#inputShift = stdinAccepted;
    }
    this.hasStarted = true;
    this.isAttached = true;
    if (this.#arriving !== undefined) this.place.set(this.#arriving);
    this.serverId = this.place.current?.session.info.serverId;
    this.#onStarted(attached);
  }

  onScreen({ offset, deltaBase64 }: Notifications['command/exec/screen']): void {
    this.#beginAt({ stdout: offset });
    this.#output.inject(this.home.platform.decodeBase64(deltaBase64));
  }

  onGap({ stream, to }: Notifications['command/exec/gap']): void {
    this.#output.gap(stream, to);
  }

  onDetached({ reason }: Notifications['command/exec/detached']): void {
    this.detachReason = reason;
  }

  #beginAt(offsets: Offsets): void {
    Object.assign(this.#output.received, offsets);
    Object.assign(this.#acknowledged, offsets);
  }

  async #drive(): Promise<ExecReply> {
    const { clock, random } = this.home.platform;
    let refusals = 0;
    let refusedSince = 0;
    const { attach } = this.plan;
    let link = attach === undefined ? this.home.linkForWork() : this.home.linkOf(attach.key);
    try {
      for (;;) {
        const session = await this.#sessionOf(link);
        try {
          return await this.#run(session, link);
        } catch (error) {
          this.place.clear();
          const step = nextStep(error, session, this);
          if (step.serverLeaves) link.retire();
          if (step.asOrdinary) {
            this.#detachable = undefined;
            this.key = undefined;
          }
          if (step.wasNotStarted) {
            this.#wasSent = false;
            link = this.home.linkForWork();
          }
          if (!step.waits) refusals = 0;
          else {
            if (refusals === 0) refusedSince = clock.now();
            if (clock.now() - refusedSince >= this.home.retryMaxMs) throw this.hasStarted ? unknownBy(error) : error;
            await sleep(clock, backOffMs(refusals, random, askedDelayMs(error)), this.#giveUp.signal);
            refusals += 1;
          }
        }
      }
    } finally {
      this.place.end();
      this.input.fail(stdinClosed());
    }
  }

  /** The session to go on with. */
  async #sessionOf(link: Link): Promise<Session> {
    try {
      return await orAborted(link.session(), this.#giveUp.signal);
    } catch (error) {
      if (error instanceof NoReply) throw error;
      throw this.#wasSent ? unknownBy(error) : neverSent(error);
    }
  }

  /** Sends the start, or attaches, and waits for the end. */
  async #run(session: Session, link: Link): Promise<ExecReply> {
    // The session may have been there before the wish to give up.
    this.#giveUp.signal.throwIfAborted();
    const isAttach = this.isAttached || this.plan.attach !== undefined;
    const { serverId } = session.info;
    if (!isAttach && this.#wasSent && serverId !== this.serverId) {
      throw unknownBy('another server answers');
    }
    this.detachReason = undefined;
    const processId = session.claim(this);
    try {
      const params = isAttach ? this.#attachParams(processId) : this.#execParams(session, processId, link);
      const answer = session.request(isAttach ? 'command/exec/attach' : 'command/exec', params);
      this.#wasSent = true;
      if (!isAttach) this.serverId = serverId;
      this.#arriving = { session, processId };
      if (!isAttach) this.place.set(this.#arriving);
      const reply = (await answer) as ExecReply;
      const { exitCode } = reply ?? {};
      // Exit codes of POSIX have eight bits.
      if (Number.isInteger(exitCode) && exitCode >= 0 && exitCode <= 0xff) return reply;
      throw unknownBy(`the reply is not valid: exitCode is ${JSON.stringify(exitCode)}`);
    } finally {
      session.release(processId);
    }
  }

  #execParams({ canDetach, maxWindowBytes }: Session, processId: string, link: Link): ExecParams {
    const { start, windowBytes } = this.plan;
    const params = { ...start?.params, processId, streamStdoutStderr: true } as ExecParams;
    if (!canDetach) return params;
    if (this.#detachable === undefined) return { ...params, window: { bytes: windowBytes } };
    // A start that is sent again to the same server keeps its key: it never runs twice.
    if (!this.#wasSent) this.key = this.#detachable.key ?? newKey(link.affinity);
    const { key = '' } = this;
    this.#windowBytes = Math.min(windowBytes, maxWindowBytes);
    return { ...params, window: { bytes: this.#windowBytes }, detachable: { ...this.#detachable, key } };
  }

  #attachParams(processId: string): AttachParams {
    const { attach, windowBytes, redraws } = this.plan;
    if (attach !== undefined && !this.isAttached) return { ...attach, processId, window: { bytes: windowBytes } };
    const { stdout, stderr } = this.#output.received;
    // What is unread here counts against the next window, or each break would add one to the memory.
    const unread = Math.max(...BOTH.map((stream) => this.#output.unread(stream)));
    const bytes = Math.max(Math.min(SMALLEST_WINDOW_BYTES, windowBytes), windowBytes - unread);
    this.#windowBytes = bytes;
    Object.assign(this.#acknowledged, { stdout, stderr });
    const common = {
      processId,
      key: this.key ?? '',
      window: { bytes },
      ...(redraws ? { screen: true } : { from: { stdout, stderr } }),
    };
    // A writer takes over, because its own old attachment may still be there.
    return this.isObserver ? { ...common, role: 'observer' } : { ...common, takeover: true, size: this.#size };
  }

  async #write({ bytes, closeStdin, position }: InputMessage): Promise<void> {
    const params = (): object => {
      this.#underWay = bytes.length;
      return {
        deltaBase64: this.home.platform.encodeBase64(bytes) || undefined,
        closeStdin: closeStdin || undefined,
        // From the first write on, or one whose answer is lost with the connection would be taken twice.
        offset: bytes.length > 0 && this.key !== undefined ? position + this.#inputShift : undefined,
      };
    };
    if (!(await this.place.request('command/exec/write', params))) throw stdinClosed();
    this.#inputTaken = position + bytes.length;
    this.#underWay = 0;
  }
}
