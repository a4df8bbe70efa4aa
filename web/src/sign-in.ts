/** Gets the credential: from the address, which forgets it at once, or from a form. It is kept for this tab of the browser alone. Knows no server. */
import { element } from './element.js';
import { savedToken, saveToken } from './store.js';

/** Takes a credential out of `#token=…`, so that no history and no screenshot has it. @returns undefined where there is none */
export function takeTokenFromAddress(): string | undefined {
  const [, token] = /(?:^#|&)token=([^&]*)/.exec(location.hash) ?? [];
  if (token === undefined) return undefined;
  history.replaceState(history.state, '', location.pathname + location.search);
  return token === '' ? undefined : decoded(token);
}

/** The text of a part of an address. A `+` stands for itself, since tokens in base 64 have it. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Asks for the credential, until one works. */
export class SignIn {
  readonly element: HTMLElement;
  readonly #why = element('p', { class: 'why', role: 'alert' });
  readonly #token = element('input', {
    type: 'password',
    id: 'token',
    name: 'token',
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-describedby': 'token-note',
  });
  readonly #note = element('p', { class: 'note', id: 'token-note' });
  readonly #submit = element('button', { type: 'submit' }, ['Sign in']);

  /** @param connect tries with the token that was saved */
  constructor(connect: () => Promise<void>) {
    const form = element('form', { class: 'sign-in' }, [
      element('h2', {}, ['Sign in']),
      this.#why,
      element('label', { for: 'token' }, ['Token']),
      this.#token,
      this.#note,
      this.#submit,
    ]);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const token = this.#token.value.trim();
      // The one that is there may be right, and its server have had no room.
      if (token !== '') saveToken(token);
      this.#submit.disabled = true;
      void connect().finally(() => {
        this.#submit.disabled = false;
      });
    });
    this.element = form;
    this.hide();
  }

  /** @param why what the user should know, such as why there is no connection */
  show(why: string): void {
    this.element.hidden = false;
    this.#why.textContent = why;
    const empty =
      savedToken() === undefined ? 'for a server that wants none' : 'to try again with the token that this tab has';
    this.#note.textContent = `It stays in this tab of the browser, and goes when the tab is closed. Leave it empty ${empty}.`;
    this.#token.focus();
  }

  hide(): void {
    this.element.hidden = true;
    this.#token.value = '';
  }
}
