/** The dialog with the commands that run on the server, those of agents among them: to attach, to watch and to end. Knows no tab. */
import type { Box, ListedCommand } from '../../client/src/browser.js';
import { textOf } from './command-fate.js';
import { type CommandToAttach, SHELL } from './command-handles.js';
import { button, element } from './element.js';
import { lineOf } from './features/title-text.js';

/** Milliseconds between two looks while the dialog is open. */
const LOOK_AGAIN_MS = 2_000;
/** Characters of a command that are shown. */
const SHOWN_CHARACTERS = 120;
/** The same where the pointer rests on it. */
const TITLE_CHARACTERS = 1_000;

const HEADINGS = ['Command', 'State', 'Started', 'CPU', 'Memory', 'Looked at by', 'What you can do'];

/** What the list may do. */
export interface CommandListEvents {
  /** The connection; undefined while there is none. */
  box(): Box | undefined;
  onAttach(command: CommandToAttach): void;
  ask(question: { title: string; text: string; yes: string; no: string }): Promise<boolean>;
  onNotice(text: string): void;
}

/** The list. */
export class CommandList {
  readonly element: HTMLDialogElement;
  readonly #events: CommandListEvents;
  readonly #rows = element('tbody');
  readonly #note = element('p', { class: 'note', role: 'status' });
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(events: CommandListEvents) {
    this.#events = events;
    const close = button('Close', () => this.element.close());
    this.element = element('dialog', { class: 'commands', 'aria-labelledby': 'commands-title' }, [
      element('div', { class: 'dialog-head' }, [element('h2', { id: 'commands-title' }, ['Commands']), close]),
      this.#note,
      // A table that is wider than the screen is moved by the keyboard, too.
      element('div', { class: 'table', role: 'region', 'aria-label': 'Commands', tabindex: 0 }, [
        element('table', {}, [
          element('thead', {}, [
            element(
              'tr',
              {},
              HEADINGS.map((heading) => element('th', { scope: 'col' }, [heading])),
            ),
          ]),
          this.#rows,
        ]),
      ]),
    ]);
    this.element.addEventListener('close', () => clearInterval(this.#timer));
  }

  /** Shows it, and looks again every now and then. */
  open(): void {
    if (this.element.open) return;
    this.element.showModal();
    void this.#look();
    this.#timer = setInterval(() => void this.#look(), LOOK_AGAIN_MS);
  }

  async #look(): Promise<void> {
    const box = this.#events.box();
    if (box === undefined) {
      this.#note.textContent = 'There is no connection.';
      return;
    }
    try {
      const listed = await box.list({ scope: 'principal', details: true });
      this.#note.textContent = noteOn(listed.length);
      this.#show(listed.sort((one, other) => other.startedAtMs - one.startedAtMs));
    } catch (error) {
      this.#note.textContent = `The list did not come: ${textOf(error)}`;
    }
  }

  /** Shows the rows. One whose button has the keyboard is not made anew, so that nobody loses their place. */
  #show(listed: readonly ListedCommand[]): void {
    const present = new Map([...this.#rows.rows].map((row) => [row.dataset.id ?? '', row]));
    const rows = listed.map((command) => {
      const id = `${command.key ?? command.pid}`;
      const before = present.get(id);
      const cells = this.#cells(command);
      if (before === undefined || before.dataset.state !== command.state) {
        const row = element('tr', {}, [
          ...cells,
          element('td', {}, [element('div', { class: 'actions' }, this.#actions(command))]),
        ]);
        Object.assign(row.dataset, { id, state: command.state });
        return row;
      }
      for (const [at, cell] of cells.entries()) {
        const shown = before.cells[at];
        if (shown !== undefined && shown.textContent !== cell.textContent) shown.replaceWith(cell);
      }
      return before;
    });
    for (const row of [...this.#rows.rows]) if (!rows.includes(row)) row.remove();
    for (const [at, row] of rows.entries())
      if (this.#rows.rows[at] !== row) this.#rows.insertBefore(row, this.#rows.rows[at] ?? null);
  }

  #cells(command: ListedCommand): HTMLTableCellElement[] {
    const { state, startedAtMs, cpuMs, rssBytes, attachments, role, exitCode, cwd, dialect } = command;
    const whole = lineOf(command.command?.join(' ') ?? '', TITLE_CHARACTERS);
    const title = `${whole}\n${lineOf(cwd ?? '', TITLE_CHARACTERS)}`;
    const name = element('th', { scope: 'row', title }, [element('code', {}, [labelOf(command)])]);
    // The dialect of agents has a name of its own.
    if (dialect !== undefined && dialect !== 'command/exec') name.append(element('span', { class: 'tag' }, [dialect]));
    const ended = state === 'ended' ? `ended, ${exitCode ?? 'no code'}` : state;
    const cells = [
      ended,
      new Date(startedAtMs).toLocaleTimeString(),
      cpuMs == null ? '' : `${(cpuMs / 1000).toFixed(1)} s`,
      rssBytes == null ? '' : `${(rssBytes / 1024 / 1024).toFixed(0)} MB`,
      `${attachments ?? ''}${role == null ? '' : `, you as ${role}`}`,
    ];
    // A narrow screen shows the heading before the cell, where it has room for one column alone.
    return [name, ...cells.map((cell, at) => element('td', { 'data-heading': HEADINGS[at + 1] ?? '' }, [cell]))];
  }

  #actions(command: ListedCommand): HTMLElement[] {
    const { key, tty: isTty, state } = command;
    if (key == null) return [element('span', { class: 'note' }, ['ends with its connection'])];
    const label = labelOf(command);
    const attach = (role: 'writer' | 'observer') => () => {
      this.element.close();
      this.#events.onAttach({ key, label, isTty, role });
    };
    const made = (text: string, run: () => void): HTMLButtonElement =>
      button(text, run, { 'aria-label': `${text}: ${label}` });
    const watch = made('Watch', attach('observer'));
    if (state === 'ended') return [watch, made('Forget', () => void this.#forget(key))];
    const kill = made('Kill', () => void this.#kill(key, label));
    const isOurs = command.role === 'writer';
    const write = made(isOurs ? 'Show' : command.attachments === 0 ? 'Attach' : 'Take over', attach('writer'));
    return [...(isTty ? [write] : []), ...(isOurs ? [] : [watch]), kill];
  }

  async #kill(key: string, label: string): Promise<void> {
    const text = `${label} gets SIGTERM, and is killed some seconds later.`;
    if (!(await this.#events.ask({ title: 'Kill this command?', text, yes: 'Kill', no: 'Cancel' }))) return;
    await this.#try((box) => box.kill(key));
  }

  async #forget(key: string): Promise<void> {
    await this.#try((box) => box.forget(key));
  }

  async #try(action: (box: Box) => Promise<unknown>): Promise<void> {
    const box = this.#events.box();
    if (box === undefined) return;
    try {
      await action(box);
    } catch (error) {
      this.#events.onNotice(textOf(error));
    }
    await this.#look();
  }
}

function noteOn(count: number): string {
  if (count === 0) return 'Nothing runs.';
  return `${count} of this server, started with the same credential.`;
}

/** The command as people would type it, roughly and not longer than they read: it is only shown. */
function labelOf({ command, pid }: ListedCommand): string {
  // Several of them differ by nothing else.
  if (command?.join() === SHELL.command.join()) return `${SHELL.label}, process ${pid}`;
  const words = command?.map((word) => (/[\s"']/.test(word) ? `'${word}'` : word));
  return words === undefined ? `process ${pid}` : lineOf(words.join(' '), SHOWN_CHARACTERS);
}
