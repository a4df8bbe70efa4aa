/**
 * The page as a whole: its connection, its tabs, and what happens to them when one of both comes and goes. Knows no wire and draws nothing by itself.
 *
 *     signed out → connecting → connected ⇄ away → signed out
 */
import { type BoxStatus, ConnectError } from '../../client/src/browser.js';
import { readCast } from './asciicast.js';
import { type CommandToAttach, type CommandToStart, SHELL } from './command-handles.js';
import { CommandList } from './command-list.js';
import { PageConnection, serverOf } from './connection.js';
import { ask } from './dialogs.js';
import { button, element } from './element.js';
import { addFeatures, addPageFeatures } from './features/features.js';
import { Notices } from './notices.js';
import { watchPageLife } from './page-life.js';
import { Player } from './player.js';
import { download, Recorder } from './recorder.js';
import { browserSettings } from './settings.js';
import { SignIn, takeTokenFromAddress } from './sign-in.js';
import { type SavedTerminal, savedPage, savedToken, savePage, saveToken } from './store.js';
import { Tabs } from './tabs.js';
import type { TerminalScreen } from './terminal-screen.js';
import { type TabEvents, TerminalTab } from './terminal-tab.js';
import type { Ui } from './ui.js';

/** The page. */
export class App {
  readonly #server = serverOf(location.href);
  readonly #connection = new PageConnection(this.#server, (status) => this.#onStatus(status));
  readonly #notices = new Notices();
  readonly #tabs = new Tabs();
  readonly #terminals = new Map<string, TerminalTab>();
  readonly #signIn = new SignIn(() => this.#connect());
  readonly #commands: CommandList;
  readonly #toolbar = element('div', { class: 'toolbar', role: 'toolbar', 'aria-label': 'Page' });
  readonly #top = element('header', { class: 'top', hidden: true }, [this.#tabs.list, this.#toolbar]);
  readonly #ui: Ui;
  #lastId = 0;
  #isConnecting = false;

  constructor() {
    this.#commands = new CommandList({
      box: () => this.#connection.box,
      onAttach: (command) => this.#attach(command),
      ask,
      onNotice: (text) => this.#notices.tell(text),
    });
    this.#ui = {
      ask,
      notify: (text) => this.#notices.tell(text),
      settings: browserSettings(),
      server: { box: () => this.#connection.box, httpBase: this.#server.http, token: savedToken },
      toolbar: this.#toolbar,
    };
  }

  /** Puts the page together and connects. */
  async start(): Promise<void> {
    takeTokenFromAddress();
    window.addEventListener('hashchange', () => {
      takeTokenFromAddress();
      if (this.#connection.box === undefined) void this.#connect();
    });
    const file = element('input', { type: 'file', accept: '.cast,.json,.txt', hidden: true });
    file.addEventListener('change', () => {
      const [chosen] = file.files ?? [];
      file.value = '';
      if (chosen !== undefined) void this.#play(chosen);
    });
    this.#toolbar.append(
      button('New terminal', () => this.#startCommand(SHELL)),
      button('Commands', () => this.#commands.open()),
      button('Play a recording', () => file.click()),
      file,
      button('Sign out', () => this.#signOut()),
    );
    document.body.append(
      this.#top,
      this.#notices.banner,
      element('main', {}, [element('h1', { class: 'unseen' }, ['Terminals']), this.#signIn.element, this.#tabs.panels]),
      this.#notices.element,
      this.#commands.element,
    );
    addPageFeatures(this.#ui);
    watchPageLife({
      onLeave: () => this.#leave(),
      onReturn: () => void this.#connect(),
      onHidden: () => this.#save(),
      onAwake: () => void this.#awake(),
      onOffline: () => this.#notices.show('Reconnecting: this machine has no network.'),
    });
    await this.#restore();
    await this.#connect();
  }

  async #restore(): Promise<void> {
    const { terminals, shown } = savedPage();
    for (const saved of terminals) {
      const id = this.#newId();
      this.#add(id, await TerminalTab.restored(id, saved, this.#eventsOf(id)));
    }
    const ids = [...this.#terminals].filter(([, tab]) => tab.key === shown).map(([id]) => id);
    const first = ids[0] ?? this.#terminals.keys().next().value;
    // The panel has no size, and xterm.js cannot draw, before the page is shown.
    if (first !== undefined) {
      this.#top.hidden = false;
      this.#tabs.show(first);
    }
  }

  /** Connects with the credential that is known, and goes on with all terminals; asks for another one where it is refused. */
  async #connect(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    try {
      const key = this.#shown?.key ?? [...this.#terminals.values()].find((tab) => tab.key !== undefined)?.key;
      const box = await this.#connection.open(savedToken(), key);
      this.#signIn.hide();
      this.#showTerminals(true);
      this.#notices.show('');
      for (const tab of this.#terminals.values()) tab.connect(box);
      if (this.#tabs.count === 0) this.#startCommand(SHELL);
      else this.#shown?.screen.refit();
    } catch (error) {
      await this.#onRefused(error);
    } finally {
      this.#isConnecting = false;
    }
  }

  /** A browser does not say why a connection failed, so the page finds out what it can. */
  async #onRefused(error: unknown): Promise<void> {
    const retry = { label: 'Try again', run: () => void this.#connect() };
    if (!(error instanceof ConnectError)) {
      this.#notices.show(`The server refused: ${error instanceof Error ? error.message : error}`, retry);
      return;
    }
    if (!(await this.#connection.isThere())) {
      this.#notices.show('No server answers here. What runs on it is unknown.', retry);
      return;
    }
    const wasRefused = savedToken() !== undefined;
    this.#notices.show('');
    this.#showTerminals(false);
    this.#signIn.show(
      wasRefused
        ? 'The server is there and refuses this token, or takes nobody now.'
        : 'The server is there and wants a token, or does not know this page (--allow-origin).',
    );
  }

  #onStatus(status: BoxStatus): void {
    const { state } = status;
    if (state === 'online') this.#notices.show('');
    if (state === 'away')
      this.#notices.show('Reconnecting: the connection is lost. Terminals go on while their server runs.');
    if (state === 'draining')
      this.#notices.tell('The server is draining: it takes no new work, and ends what still runs at its deadline.');
    if (state === 'offline') {
      const again = { label: 'Try again', run: () => void this.#connect() };
      this.#notices.show('No server can be reached. What runs there is unknown.', again);
    }
  }

  async #awake(): Promise<void> {
    if (this.#connection.box !== undefined) await this.#connection.check();
    else if (this.#signIn.element.hidden) await this.#connect();
  }

  #leave(): void {
    this.#save();
    for (const tab of this.#terminals.values()) tab.disconnect();
    this.#connection.close();
  }

  #save(): void {
    const terminals = [...this.#terminals.values()]
      .map((tab) => tab.saved())
      .filter((saved): saved is SavedTerminal => saved !== undefined);
    savePage({ terminals, shown: this.#shown?.key ?? null });
  }

  #signOut(): void {
    this.#save();
    for (const tab of this.#terminals.values()) tab.disconnect();
    this.#connection.close();
    saveToken(undefined);
    this.#showTerminals(false);
    this.#signIn.show('You are signed out. Terminals go on until the server forgets them.');
  }

  #showTerminals(isShown: boolean): void {
    this.#top.hidden = !isShown;
    this.#tabs.panels.hidden = !isShown;
  }

  get #shown(): TerminalTab | undefined {
    return this.#terminals.get(this.#tabs.shown ?? '');
  }

  #newId(): string {
    this.#lastId += 1;
    return `terminal-${this.#lastId}`;
  }

  #startCommand(command: CommandToStart): void {
    const id = this.#newId();
    this.#show(id, TerminalTab.starting(id, command, this.#eventsOf(id)));
  }

  #attach(command: CommandToAttach): void {
    const open = [...this.#terminals].find(([, tab]) => tab.key === command.key && tab.mayRun);
    const box = this.#connection.box;
    if (open === undefined) {
      const id = this.#newId();
      this.#show(id, TerminalTab.attaching(id, command, this.#eventsOf(id)));
      return;
    }
    const [id, tab] = open;
    this.#tabs.show(id, { focus: 'panel' });
    if (box !== undefined && (tab.role !== command.role || tab.state === 'taken'))
      void tab.becomeRole(box, command.role);
  }

  /** Adds a tab, shows it and connects it: a terminal starts with the size that it has on the page. */
  #show(id: string, tab: TerminalTab): void {
    this.#add(id, tab);
    this.#tabs.show(id, { focus: 'panel' });
    const box = this.#connection.box;
    if (box !== undefined) tab.connect(box);
  }

  #add(id: string, tab: TerminalTab): void {
    const { screen } = tab;
    this.#terminals.set(id, tab);
    const leave = button('Leave it running', () => void this.#leaveRunning(id, tab), { class: 'tool' });
    this.#addPanel(id, screen, { onClose: () => void this.#close(id, tab), tools: [this.#recordButton(tab), leave] });
    this.#look(id);
  }

  #addPanel(
    id: string,
    screen: TerminalScreen,
    { onClose, tools = [] }: { readonly onClose: () => void; readonly tools?: readonly HTMLElement[] },
  ): void {
    let isNew = true;
    this.#tabs.add(id, {
      panel: screen.element,
      onClose,
      onShown: () => {
        screen.open();
        if (isNew) {
          addFeatures(screen, this.#ui);
          screen.toolbar.append(...tools, button('Close terminal', onClose, { class: 'tool' }));
        }
        isNew = false;
        screen.refit();
        screen.focus();
        this.#look(id, false);
      },
    });
  }

  #recordButton({ screen, label }: TerminalTab): HTMLButtonElement {
    let recorder: Recorder | undefined;
    const stop = (): void => {
      if (recorder !== undefined) download(recorder.stop(), `${label.replace(/[^\w.-]+/g, '-')}.cast`);
      recorder = undefined;
      record.setAttribute('aria-pressed', 'false');
    };
    const record = button(
      'Record',
      () => {
        if (recorder !== undefined) {
          stop();
          return;
        }
        recorder = new Recorder(screen, label, () => {
          this.#notices.tell('The recording has ended, because it is as long as it may be.');
          stop();
        });
        record.setAttribute('aria-pressed', 'true');
      },
      { class: 'tool', 'aria-pressed': 'false' },
    );
    screen.onDispose(stop);
    return record;
  }

  async #close(id: string, tab: TerminalTab): Promise<void> {
    if (tab.role === 'writer' && tab.mayRun && tab.state !== 'taken') {
      const text = `${tab.label} may still run on the server. “Leave it running” closes the tab without ending it.`;
      if (!(await ask({ title: 'End this terminal?', text, yes: 'End it', no: 'Cancel' }))) return;
      await tab.kill();
    } else {
      await tab.leave();
    }
    this.#remove(id, tab.screen);
  }

  async #leaveRunning(id: string, tab: TerminalTab): Promise<void> {
    await tab.leave();
    this.#remove(id, tab.screen);
    this.#notices.tell('It goes on, and is in the list of commands.');
  }

  #remove(id: string, screen: TerminalScreen): void {
    this.#terminals.delete(id);
    this.#tabs.remove(id);
    screen.dispose();
    this.#save();
  }

  #eventsOf(id: string): TabEvents {
    return {
      onChange: () => this.#look(id),
      onBell: () => this.#look(id, this.#tabs.shown !== id),
      onNotice: (text) => this.#notices.tell(text),
      onAgain: (command) => {
        const before = this.#terminals.get(id);
        this.#startCommand(command);
        if (before !== undefined) this.#remove(id, before.screen);
      },
      onRole: (role) => {
        const box = this.#connection.box;
        if (box !== undefined) void this.#terminals.get(id)?.becomeRole(box, role);
      },
    };
  }

  #look(id: string, hasBell = false): void {
    const tab = this.#terminals.get(id);
    if (tab === undefined) return;
    const { label, state, role } = tab;
    const notes: Readonly<Record<string, string>> = { taken: 'taken over', ended: 'ended', gone: 'gone', away: 'away' };
    this.#tabs.look(id, { label, note: notes[state] ?? (role === 'observer' ? 'watching' : ''), hasBell });
    if (this.#tabs.shown === id) document.title = `${label} – execwire`;
  }

  async #play(file: File): Promise<void> {
    try {
      const id = this.#newId();
      const cast = readCast(await file.text());
      const player = new Player(id, cast, () => {});
      const onClose = (): void => {
        this.#tabs.remove(id);
        player.screen.dispose();
      };
      this.#addPanel(id, player.screen, { onClose });
      this.#tabs.look(id, { label: cast.title || file.name, note: 'recording', hasBell: false });
      this.#tabs.show(id, { focus: 'panel' });
    } catch (error) {
      this.#notices.tell(error instanceof Error ? error.message : String(error));
    }
  }
}
