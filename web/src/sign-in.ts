/** Gets the credential: from the address, which forgets it at once, or from a form. It is kept for this tab of the browser alone. Knows no server. */
import { element } from './element.js';
import { saveToken } from './store.js';

/** Takes a credential out of `#token=…`, so that no history and no screenshot has it. */
export function takeTokenFromAddress(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return;
  history.replaceState(history.state, '', location.pathname + location.search);
  if (token !== '') saveToken(token);
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
  readonly #submit = element('button', { type: 'submit' }, ['Sign in']);

  /** @param connect tries with the token that was saved */
  constructor(connect: () => Promise<void>) {
    const form = element('form', { class: 'sign-in' }, [
      element('h2', {}, ['Sign in']),
      this.#why,
      element('label', { for: 'token' }, ['Token']),
      this.#token,
      element('p', { class: 'note', id: 'token-note' }, [
        'It stays in this tab of the browser, and goes when the tab is closed. Leave it empty for a server that wants none.',
      ]),
      this.#submit,
    ]);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const token = this.#token.value.trim();
      saveToken(token === '' ? undefined : token);
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
    this.#token.focus();
  }

  hide(): void {
    this.element.hidden = true;
    this.#token.value = '';
  }
}
