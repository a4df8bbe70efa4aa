/** The terminals of the page and the tabs that show them: opens, attaches, plays, closes and brings them back after a reload. Knows no credential. */
import type { Box } from '../../client/src/browser.js';
import { readCast } from './asciicast.js';
import { textOf } from './command-fate.js';
import { type CommandToAttach, type CommandToStart, SHELL } from './command-handles.js';
import { button, element } from './element.js';
import { addFeatures } from './features/features.js';
import { titleText } from './features/title-text.js';
import { Player } from './player.js';
import { recordButton } from './record-button.js';
import { type SavedPage, type SavedTerminal, savePage } from './store.js';
import type { TabEvents } from './tab-state.js';
import { Tabs } from './tabs.js';
import type { TerminalScreen } from './terminal-screen.js';
import { TerminalTab } from './terminal-tab.js';
import type { Question, Ui } from './ui.js';

/** What a tab says beside its title. */
const NOTES: Readonly<Record<string, string>> = { taken: 'taken over', ended: 'ended', gone: 'gone', away: 'away' };

/** All of them. */
export class PageTerminals {
  readonly tabs = new Tabs();
  readonly element: HTMLElement;
  readonly #terminals = new Map<string, TerminalTab>();
  /** Those of recordings, too. */
  readonly #screens = new Map<string, TerminalScreen>();
  readonly #nothing: HTMLElement;
  readonly #ui: Ui;
  #lastId = 0;
  /** How often everything was taken off the page: what is being brought back then is not added. */
  #clearings = 0;

  constructor(ui: Ui) {
    this.#ui = ui;
    this.#nothing = element('div', { class: 'nothing' }, [
      element('p', {}, ['No terminal is open.']),
      button('Open a terminal', () => this.start(SHELL)),
    ]);
    this.element = element('div', { class: 'terminals' }, [this.tabs.panels, this.#nothing]);
    this.#nothing.hidden = true;
  }

  /** Key of the command whose server the page should connect to: that of the terminal that is shown, or any. */
  get key(): string | undefined {
    return this.#shown?.key ?? [...this.#terminals.values()].find(({ key }) => key !== undefined)?.key;
  }

  get #shown(): TerminalTab | undefined {
    return this.#terminals.get(this.tabs.shown ?? '');
  }

  /** Brings back what was saved, as it was. It goes on with the next connection. */
  async restore({ terminals, shown }: SavedPage): Promise<void> {
    const clearings = this.#clearings;
    for (const saved of terminals) {
      const id = this.#newId();
      const tab = await TerminalTab.restored(id, saved, this.#eventsOf(id));
      if (clearings !== this.#clearings) {
        tab.screen.dispose();
        return;
      }
      this.#add(id, tab);
    }
    const entries = [...this.#terminals];
    const [id] = entries.find(([, { key }]) => key === shown) ?? entries[0] ?? [];
    if (id !== undefined) this.tabs.show(id);
  }

  /** Saves what a reload needs. */
  save(): void {
    const saved = [...this.#terminals.values()].map((tab) => tab.saved());
    const terminals = saved.filter((terminal): terminal is SavedTerminal => terminal !== undefined);
    savePage({ terminals, shown: this.#shown?.key ?? null });
  }

  /** Goes on with a connection; a page without a terminal opens one. */
  connect(box: Box): void {
    for (const tab of this.#terminals.values()) tab.connect(box);
    if (this.tabs.count === 0) this.start(SHELL);
    else this.#shown?.screen.refit();
  }

  /** The connection ends by our own wish. */
  disconnect(): void {
    for (const tab of this.#terminals.values()) tab.disconnect();
  }

  /** Takes all terminals and recordings off the page. Commands go on. */
  clear(): void {
    this.#clearings += 1;
    this.disconnect();
    for (const [id, screen] of this.#screens) this.#takeOff(id, screen);
    this.#nothing.hidden = true;
    document.title = 'execwire';
  }

  start(command: CommandToStart): void {
    const id = this.#newId();
    this.#show(id, TerminalTab.starting(id, command, this.#unusedLabel(command.label), this.#eventsOf(id)));
  }

  /** A label, with a number where another tab has it already. */
  #unusedLabel(given: string): string {
    const used = [...this.#terminals.values()].filter(({ mayRun }) => mayRun).map(({ label }) => label);
    let label = given;
    for (let number = 2; used.includes(label); number += 1) label = `${given} ${number}`;
    return label;
  }

  /** Attaches in a new tab, or in the one that has the command already. */
  attach(command: CommandToAttach): void {
    const open = [...this.#terminals].find(([, tab]) => tab.key === command.key && tab.mayRun);
    if (open === undefined) {
      const id = this.#newId();
      this.#show(id, TerminalTab.attaching(id, command, this.#eventsOf(id)));
      return;
    }
    const [id, tab] = open;
    this.tabs.show(id, { focus: 'panel' });
    if (tab.role !== command.role || tab.state === 'taken') this.#changeRole(tab, command.role);
  }

  /** Plays a recording in a new tab. */
  async play(file: File): Promise<void> {
    try {
      const cast = readCast(await file.text());
      const id = this.#newId();
      const { screen } = new Player(id, cast, (text) => this.#ui.notify(text));
      this.#addPanel(id, screen, { onClose: () => this.#remove(id, screen) });
      this.tabs.look(id, { label: titleText(cast.title || file.name), note: 'recording', hasBell: false });
      this.tabs.show(id, { focus: 'panel' });
    } catch (error) {
      this.#ui.notify(textOf(error));
    }
  }

  #newId(): string {
    this.#lastId += 1;
    return `terminal-${this.#lastId}`;
  }

  /** Adds a tab, shows it and connects it: a terminal starts with the size that it has on the page. */
  #show(id: string, tab: TerminalTab): void {
    this.#add(id, tab);
    this.tabs.show(id, { focus: 'panel' });
    const box = this.#ui.server.box();
    if (box !== undefined) tab.connect(box);
  }

  #add(id: string, tab: TerminalTab): void {
    const { screen } = tab;
    this.#terminals.set(id, tab);
    const leave = button('Leave it running', () => void this.#leave(id, tab), { class: 'tool' });
    const tools = [recordButton(screen, () => tab.label), leave];
    this.#addPanel(id, screen, { onClose: () => void this.#close(id, tab), tools });
    this.#look(id);
  }

  #addPanel(
    id: string,
    screen: TerminalScreen,
    { onClose, tools = [] }: { readonly onClose: () => void; readonly tools?: readonly HTMLElement[] },
  ): void {
    const onShown = (): void => {
      // xterm.js cannot draw before its panel is on the page and has a size.
      screen.open(() => {
        addFeatures(screen, this.#ui);
        screen.toolbar.append(...tools, button('Close terminal', onClose, { class: 'tool' }));
      });
      screen.refit();
      screen.focus();
      this.#look(id);
    };
    this.#screens.set(id, screen);
    this.tabs.add(id, { panel: screen.element, onClose, onShown });
    this.#nothing.hidden = true;
  }

  async #close(id: string, tab: TerminalTab): Promise<void> {
    if (tab.role === 'writer' && tab.mayRun && tab.state !== 'taken') {
      const { isReachable } = tab;
      if (!(await this.#ui.ask(questionOn(tab)))) return;
      if (isReachable && !(await tab.kill())) return;
    } else {
      await tab.leave();
    }
    this.#remove(id, tab.screen);
  }

  async #leave(id: string, tab: TerminalTab): Promise<void> {
    await tab.leave();
    this.#remove(id, tab.screen);
    this.#ui.notify('It goes on, and is in the list of commands.');
  }

  #remove(id: string, screen: TerminalScreen): void {
    this.#takeOff(id, screen);
    this.#nothing.hidden = this.tabs.count > 0;
    if (this.tabs.count === 0) this.#nothing.querySelector('button')?.focus();
    this.save();
  }

  #takeOff(id: string, screen: TerminalScreen): void {
    this.#terminals.delete(id);
    this.#screens.delete(id);
    this.tabs.remove(id);
    screen.dispose();
  }

  #changeRole(tab: TerminalTab, role: 'writer' | 'observer'): void {
    const box = this.#ui.server.box();
    if (box !== undefined) void tab.becomeRole(box, role);
  }

  #eventsOf(id: string): TabEvents {
    return {
      onChange: () => this.#look(id),
      onBell: () => this.#look(id, this.tabs.shown !== id),
      onNotice: (text) => this.#ui.notify(text),
      onAgain: (command) => {
        const before = this.#terminals.get(id);
        this.start(command);
        if (before !== undefined) this.#remove(id, before.screen);
      },
      onRole: (role) => {
        const tab = this.#terminals.get(id);
        if (tab !== undefined) this.#changeRole(tab, role);
      },
    };
  }

  #look(id: string, hasBell = false): void {
    const tab = this.#terminals.get(id);
    if (tab === undefined) return;
    const { label, state, role } = tab;
    this.tabs.look(id, { label, note: NOTES[state] ?? (role === 'observer' ? 'watching' : ''), hasBell });
    if (this.tabs.shown === id) document.title = `${label} – execwire`;
  }
}

/** What is asked before a tab is closed whose command may run. */
function questionOn({ label, isReachable }: TerminalTab): Question {
  return isReachable
    ? {
        title: 'End this terminal?',
        text: `${label} may still run on the server. “Leave it running” closes the tab without ending it.`,
        yes: 'End it',
        no: 'Cancel',
      }
    : {
        title: 'Close this terminal?',
        text: `There is no connection, so ${label} cannot be ended now. If it runs, it goes on, and will be in the list of commands.`,
        yes: 'Close',
        no: 'Cancel',
      };
}
