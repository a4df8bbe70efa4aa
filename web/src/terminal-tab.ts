/**
 * One command in one tab: starts it or attaches to it, and comes back to it on the next connection, with every byte from where it was. Says honestly what is
 * known of it where that is not all. Knows no other tab. Long because all ways of coming and going end in the same few fields.
 *
 *     waiting → live ⇄ away (no connection) → ended
 *                └─ taken (another client writes) ⇄ live
 *                └─ gone (lost, or nobody can say)
 */
import { type Box, ExecError, type OutputEvent, RpcError } from '../../client/src/browser.js';
import { fateOf, textOf } from './command-fate.js';
import {
  attachTo,
  type CommandEnd,
  type CommandToAttach,
  type CommandToStart,
  endOf,
  type Handle,
  startTerminal,
} from './command-handles.js';
import type { SavedTerminal } from './store.js';
import { actionsOf, type Facts, type TabEvents, type TabState } from './tab-state.js';
import { type ScreenEvents, TerminalScreen } from './terminal-screen.js';
import { OutputTail } from './unfinished-output.js';

/** Characters and bytes that are typed before there is a connection, such as right after a reload. More is a paste of more than a person would do. */
const MOST_EARLY_LENGTH = 1024 * 1024;

/** One tab. */
export class TerminalTab {
  readonly screen: TerminalScreen;
  state: TabState = 'waiting';
  title = '';
  readonly #events: TabEvents;
  readonly #facts: Facts;
  readonly #start: CommandToStart | undefined;
  /** What is shown of each stream: the next attachment begins there. */
  readonly #offset = { stdout: 0, stderr: 0 };
  readonly #tail = new OutputTail();
  /** Whether the screen shows all that is below the offset. */
  #hasPicture = false;
  /** Whether what is on the screen may no longer be right. */
  #needsPicture = false;
  #handle: Handle | undefined;
  /** Typed before there was a connection. */
  #early: (string | Uint8Array)[] = [];
  /** Settles when the last piece is on the screen. */
  #showing: Promise<void> = Promise.resolve();

  private constructor(id: string, events: TabEvents, facts: Facts, start?: CommandToStart) {
    this.#events = events;
    this.#facts = facts;
    this.#start = start;
    const screenEvents: ScreenEvents = {
      onTyped: (data) => this.#type(data),
      onResize: (size) => {
        if (facts.role === 'writer' && facts.isTty) this.#handle?.resize(size).catch(() => {});
      },
      onTitle: (title) => {
        this.title = title;
        events.onChange();
      },
      onBell: () => events.onBell(),
      onNotice: (text) => events.onNotice(text),
    };
    this.screen = new TerminalScreen(id, screenEvents, !facts.isTty);
    this.screen.isObserver = facts.role === 'observer';
  }

  /** A tab whose command is started on the first connection. */
  static starting(id: string, command: CommandToStart, label: string, events: TabEvents): TerminalTab {
    const facts: Facts = { label, isTty: true, key: undefined, serverId: undefined, role: 'writer' };
    return new TerminalTab(id, events, facts, command);
  }

  /** A tab for a command that runs already. */
  static attaching(id: string, { key, label, isTty, role }: CommandToAttach, events: TabEvents): TerminalTab {
    return new TerminalTab(id, events, { key, label, isTty, role, serverId: undefined });
  }

  /** A tab as it was before the page was left. */
  static async restored(id: string, saved: SavedTerminal, events: TabEvents): Promise<TerminalTab> {
    const { key, label, isTty, role, serverId, picture, offset, start } = saved;
    const tab = new TerminalTab(id, events, { key, label, isTty, role, serverId: serverId ?? undefined }, start);
    tab.title = saved.title;
    if (picture !== undefined) {
      await tab.screen.restore(picture, saved);
      Object.assign(tab.#offset, offset);
      tab.#hasPicture = true;
      if (role === 'observer' && isTty) tab.screen.fixSize(saved);
    }
    return tab;
  }

  get label(): string {
    return this.title || this.#facts.label;
  }

  get key(): string | undefined {
    return this.#facts.key;
  }

  get role(): 'writer' | 'observer' {
    return this.#facts.role;
  }

  /** Whether the command may still run. */
  get mayRun(): boolean {
    return this.state !== 'ended' && this.state !== 'gone';
  }

  /** Goes on with a connection: starts the command, or attaches where its output stopped. */
  connect(box: Box): void {
    if (!this.mayRun || this.state === 'taken') return;
    if (this.#facts.key !== undefined) void this.#attach(box, this.#facts.key);
    else if (this.#start !== undefined && this.#handle === undefined) this.#begin(box, this.#start);
  }

  /** The connection ends by our own wish; the command goes on. */
  disconnect(): void {
    this.#handle = undefined;
    if (this.state === 'live') this.#become('away', '');
  }

  /** Whether it can be spoken to, now or once the connection is back. */
  get isReachable(): boolean {
    return this.#handle !== undefined;
  }

  /** Leaves the command running. */
  async leave(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.detach().catch(() => {});
  }

  /** Ends the command. @returns false where there is nobody to tell, which the user then knows */
  async kill(): Promise<boolean> {
    if (!this.mayRun) return true;
    if (this.#handle === undefined) this.#events.onNotice('It was not ended: there is no connection.');
    else this.#handle.kill().catch((error: unknown) => this.#events.onNotice(`It was not ended: ${textOf(error)}`));
    return this.#handle !== undefined;
  }

  /** Writes from now on, in place of whoever did; or watches from now on. */
  async becomeRole(box: Box, role: 'writer' | 'observer'): Promise<void> {
    await this.leave();
    this.#facts.role = role;
    this.screen.isObserver = role === 'observer';
    if (role === 'writer') this.screen.fixSize(undefined);
    this.state = 'waiting';
    // The other writer may have a window of another size, for which a program that fills the window has drawn.
    const isFilled = this.screen.xterm.buffer.active.type === 'alternate';
    this.#needsPicture = this.#facts.isTty && (role === 'observer' || isFilled);
    this.connect(box);
    // The button that was pressed is gone.
    this.screen.focus();
  }

  /** What a reload needs; undefined for a command that cannot come back. */
  saved(): SavedTerminal | undefined {
    const { key, serverId, isTty, role } = this.#facts;
    if (key === undefined || !this.mayRun) return undefined;
    const { cols, rows } = this.screen.xterm;
    const picture = this.#hasPicture ? this.screen.picture() : undefined;
    const stdout = this.#offset.stdout - this.#tail.unfinishedBytes;
    return {
      key,
      label: this.#facts.label,
      title: this.title,
      isTty,
      role,
      serverId: serverId ?? null,
      cols,
      rows,
      offset: { stdout, stderr: this.#offset.stderr },
      ...(picture === undefined ? {} : { picture }),
      ...(this.#start === undefined ? {} : { start: this.#start }),
    };
  }

  #begin(box: Box, command: CommandToStart): void {
    const facts = this.#facts;
    const { cols, rows } = this.screen.xterm;
    const handle = startTerminal(box, command, { cols, rows });
    facts.serverId = box.serverId;
    void handle.started.then(
      ({ key }) => {
        facts.key = key;
        this.#events.onChange();
      },
      () => {},
    );
    void this.#follow(box, handle);
  }

  async #attach(box: Box, key: string): Promise<void> {
    this.#handle = undefined;
    // A piece that is half shown would come twice.
    await this.#showing;
    if (this.#handle !== undefined || !this.mayRun) return;
    const { isTty, role } = this.#facts;
    const { cols, rows } = this.screen.xterm;
    const from = this.#hasPicture && !this.#needsPicture ? { ...this.#offset } : undefined;
    this.#needsPicture = false;
    const handle = attachTo(box, { key, isTty, role }, { from, cols, rows, onSize: this.#onSize });
    void handle.started.then(
      () => {
        this.#facts.serverId = box.serverId;
      },
      () => {},
    );
    void this.#follow(box, handle);
  }

  #onSize = (size: { readonly cols: number; readonly rows: number }): void => {
    if (this.#facts.role === 'observer') this.screen.fixSize(size);
  };

  #type(data: string | Uint8Array): void {
    const handle = this.#handle;
    if (!this.mayRun || this.state === 'taken') return;
    if (handle === undefined) {
      this.#early.push(data);
      if (this.#early.reduce((sum, { length }) => sum + length, 0) <= MOST_EARLY_LENGTH) return;
      this.#early.pop();
      this.#events.onNotice('Nothing more that you type is kept, because there is no connection.');
      return;
    }
    handle.write(data).catch((error: unknown) => {
      if (this.#handle === handle && this.mayRun && error instanceof RpcError)
        this.#events.onNotice(`What was typed did not arrive: ${error.message}`);
    });
  }

  /** Shows the output of a handle until it ends. The next piece is taken when the last one is on the screen, so that the server waits for a slow page. */
  async #follow(box: Box, handle: Handle): Promise<void> {
    this.#handle = handle;
    this.#become('live', '');
    for (const data of this.#early.splice(0)) this.#type(data);
    const isPresent = (): boolean => this.#handle === handle;
    /** The pieces that the reader is about to get, with their places. */
    const events: OutputEvent[] = [];
    handle.onOutput((event) => events.push(event));
    handle.onGap(({ stream, from, to }) => {
      if (isPresent() && stream === 'stdout') void this.#skip(box, to - from);
    });
    try {
      for await (const _ of handle.chunks) {
        const event = events.shift();
        if (!isPresent() || event === undefined) return;
        this.#showing = this.#show(event);
        await this.#showing;
      }
      const end = await endOf(handle);
      if (isPresent()) this.#end(end);
    } catch (error) {
      if (!isPresent()) return;
      if (error instanceof ExecError) this.#end(error);
      else this.#fail(box, error);
    }
  }

  async #show({ stream, offset, bytes, isScreen }: OutputEvent): Promise<void> {
    // What was on the screen is older than the picture.
    if (isScreen && this.#hasPicture) await this.screen.beginAnew('');
    await this.screen.write(bytes);
    this.#hasPicture = true;
    this.#offset[stream] = isScreen ? offset : offset + bytes.length;
    if (isScreen) this.#tail.clear();
    else if (stream === 'stdout') this.#tail.push(bytes);
  }

  /** Output is missing, so what follows would be drawn on the wrong screen: begins anew with a picture. */
  async #skip(box: Box, byteCount: number): Promise<void> {
    const why = `${byteCount.toLocaleString('en')} bytes of output were not kept while this page was away`;
    if (!this.#facts.isTty) {
      await this.screen.write(`\r\n[${why}]\r\n`);
      return;
    }
    await this.leave();
    await this.#showing;
    // Somebody who only watches is overtaken again and again by fast output.
    if (this.#facts.role === 'writer') await this.screen.beginAnew(why);
    this.#hasPicture = false;
    this.state = 'waiting';
    this.connect(box);
  }

  #end({ exitCode, signal }: CommandEnd): void {
    this.#handle = undefined;
    const how = signal === undefined ? `with ${exitCode}` : `by ${signal}`;
    this.#become('ended', `The command has ended ${how}.`);
  }

  #fail(box: Box, error: unknown): void {
    this.#handle = undefined;
    const { state, text } = fateOf(error, this.#facts, box.serverId);
    this.#become(state, text);
  }

  #become(state: TabState, text: string): void {
    this.state = state;
    const isWatching = state === 'live' && this.#facts.role === 'observer';
    this.screen.say(
      isWatching ? 'Watching: nothing that you type goes there.' : text,
      actionsOf(state, this.#facts, { start: this.#start, events: this.#events }),
    );
    this.#events.onChange();
  }
}
