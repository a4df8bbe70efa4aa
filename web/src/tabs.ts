/** The row of tabs and the panels below it, as the ARIA practices want tabs: one stop of the Tab key, arrows between them. Knows no terminal. */
import { element } from './element.js';

/** What a tab shows. */
export interface TabContent {
  readonly panel: HTMLElement;
  /** The tab is shown now; its panel has a size. */
  onShown(): void;
  /** The user wants to close it. */
  onClose(): void;
}

/** What a tab says. */
export interface TabLook {
  readonly label: string;
  /** Something else than an ordinary terminal, said by screen readers too. */
  readonly note: string;
  readonly hasBell: boolean;
}

interface Tab {
  readonly id: string;
  readonly content: TabContent;
  readonly button: HTMLButtonElement;
  readonly label: HTMLElement;
  readonly note: HTMLElement;
}

/** All tabs. */
export class Tabs {
  readonly list = element('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Terminals' });
  readonly panels = element('div', { class: 'panels' });
  readonly #tabs: Tab[] = [];
  #shown: Tab | undefined;

  constructor() {
    this.list.addEventListener('keydown', (event) => this.#onKey(event));
  }

  get count(): number {
    return this.#tabs.length;
  }

  /** Id of the tab that is shown. */
  get shown(): string | undefined {
    return this.#shown?.id;
  }

  /** Adds a tab behind the others, without showing it. @param id the panel has it, too */
  add(id: string, content: TabContent): void {
    const label = element('span', { class: 'label' });
    const note = element('span', { class: 'tab-note' });
    // For the mouse alone: a tab can hold no button. The keyboard has Delete, and a button in the panel.
    const close = element('span', { class: 'close', 'aria-hidden': 'true', title: 'Close (Delete)' }, ['×']);
    const button = element(
      'button',
      { class: 'tab', role: 'tab', 'aria-controls': id, 'aria-selected': 'false', id: `${id}-tab`, tabindex: -1 },
      [label, note, close],
    );
    content.panel.setAttribute('aria-labelledby', button.id);
    const tab: Tab = { id, content, button, label, note };
    button.addEventListener('click', ({ target }) => {
      if (target === close) content.onClose();
      else this.show(id, { focus: 'panel' });
    });
    button.addEventListener('auxclick', ({ button: which }) => {
      if (which === MIDDLE) content.onClose();
    });
    this.#tabs.push(tab);
    this.list.append(button);
    this.panels.append(content.panel);
  }

  /** Shows a tab. @param focus `panel` also gives it the keyboard, `tab` leaves it on the tab */
  show(id: string, { focus }: { readonly focus?: 'panel' | 'tab' } = {}): void {
    const shown = this.#tabs.find((tab) => tab.id === id);
    if (shown === undefined) return;
    this.#shown = shown;
    for (const tab of this.#tabs) {
      const isShown = tab === shown;
      tab.content.panel.hidden = !isShown;
      tab.button.setAttribute('aria-selected', String(isShown));
      tab.button.tabIndex = isShown ? 0 : -1;
    }
    shown.button.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    shown.content.onShown();
    if (focus === 'tab') shown.button.focus();
  }

  /** Shows the next tab, or the one before. */
  showNext(step: 1 | -1): void {
    const at = this.#tabs.findIndex(({ id }) => id === this.shown);
    const next = this.#tabs[(at + step + this.count) % this.count];
    if (next !== undefined) this.show(next.id, { focus: 'panel' });
  }

  look(id: string, { label, note, hasBell }: TabLook): void {
    const tab = this.#tabs.find((candidate) => candidate.id === id);
    if (tab === undefined) return;
    tab.label.textContent = label;
    // Said in words, because the mark is a style that screen readers do not see.
    const words = [note, hasBell ? 'rang' : ''].filter((word) => word !== '');
    tab.note.textContent = words.length === 0 ? '' : ` (${words.join(', ')})`;
    tab.button.title = label;
    tab.button.classList.toggle('bell', hasBell);
  }

  /** Takes a tab away and shows its neighbour. */
  remove(id: string): void {
    const at = this.#tabs.findIndex((tab) => tab.id === id);
    const [removed] = this.#tabs.splice(at, at < 0 ? 0 : 1);
    if (removed === undefined) return;
    const hadFocus = removed.button === document.activeElement;
    removed.button.remove();
    if (removed !== this.#shown) return;
    this.#shown = undefined;
    const next = this.#tabs[at] ?? this.#tabs.at(-1);
    if (next !== undefined) this.show(next.id, { focus: hadFocus ? 'tab' : 'panel' });
  }

  #onKey(event: KeyboardEvent): void {
    const at = this.#tabs.findIndex(({ button }) => button === document.activeElement);
    const tab = this.#tabs[at];
    if (tab === undefined) return;
    const last = this.count - 1;
    const goesTo: Readonly<Record<string, number>> = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    };
    const next = this.#tabs[goesTo[event.key] ?? -1];
    if (next !== undefined) this.show(next.id, { focus: 'tab' });
    else if (event.key === 'Delete') tab.content.onClose();
    else return;
    event.preventDefault();
  }
}

/** The middle button of a mouse. */
const MIDDLE = 1;
