/** What the page tells its user: short notices that go by themselves, and one line on the connection that stays. Screen readers say both. */
import { button, element } from './element.js';

/** Milliseconds that a notice stays: long enough to read two lines. */
const NOTICE_MS = 8_000;
/** Notices at a time. */
const MOST = 4;

/** The notices of the page. */
export class Notices {
  readonly element = element('footer', { class: 'notices' });
  readonly #list = element('div', {
    class: 'notice-list',
    role: 'log',
    'aria-live': 'polite',
    'aria-label': 'Notices',
  });
  readonly #banner = element('div', { class: 'banner', role: 'status', hidden: true });

  constructor() {
    this.element.append(this.#list);
  }

  /** The line on the connection. It lies over the terminals. */
  get banner(): HTMLElement {
    return this.#banner;
  }

  /** Tells something once. */
  tell(text: string): void {
    const notice = element('div', { class: 'notice' }, [element('span', {}, [text])]);
    notice.append(button('×', () => notice.remove(), { 'aria-label': 'Dismiss' }));
    this.#list.append(notice);
    while (this.#list.childElementCount > MOST) this.#list.firstElementChild?.remove();
    const remove = (): void => {
      // One that is read or pointed at stays.
      if (notice.matches(':hover, :focus-within')) setTimeout(remove, NOTICE_MS);
      else notice.remove();
    };
    setTimeout(remove, NOTICE_MS);
  }

  /** Sets the line on the connection. @param text empty: takes it away */
  show(text: string, action?: { readonly label: string; readonly run: () => void }): void {
    this.#banner.hidden = text === '';
    this.#banner.replaceChildren(text, ...(action === undefined ? [] : [button(action.label, action.run)]));
  }
}
