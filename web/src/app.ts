/**
 * The page as a whole: signs in, connects, and tells its terminals when a connection comes and goes. Knows no wire, and no terminal by itself.
 *
 *     signed out → connecting → connected ⇄ away → signed out
 */
import { type BoxStatus, ConnectError } from '../../client/src/browser.js';
import { browserSettings } from './browser-settings.js';
import { textOf } from './command-fate.js';
import { SHELL } from './command-handles.js';
import { CommandList } from './command-list.js';
import { PageConnection, serverOf } from './connection.js';
import { ask } from './dialogs.js';
import { button, element } from './element.js';
import { addPageFeatures } from './features/features.js';
import { Notices } from './notices.js';
import { watchPageLife } from './page-life.js';
import { PageTerminals } from './page-terminals.js';
import { SignIn, takeTokenFromAddress } from './sign-in.js';
import { savedPage, savedToken, saveToken } from './store.js';
import type { Ui } from './ui.js';

/** The page. */
export class App {
  readonly #server = serverOf(location.href);
  readonly #connection = new PageConnection(this.#server, (status) => this.#onStatus(status));
  readonly #notices = new Notices();
  readonly #signIn = new SignIn(() => this.#connect());
  readonly #toolbar = element('div', { class: 'toolbar', role: 'group', 'aria-label': 'Page tools' });
  readonly #ui: Ui = {
    ask,
    notify: (text) => this.#notices.tell(text),
    settings: browserSettings(),
    server: { box: () => this.#connection.box, httpBase: this.#server.http, token: savedToken },
    toolbar: this.#toolbar,
  };
  readonly #terminals = new PageTerminals(this.#ui);
  readonly #top = element('header', { class: 'top' }, [this.#terminals.tabs.list, this.#toolbar]);
  readonly #commands = new CommandList({
    box: () => this.#connection.box,
    onAttach: (command) => this.#terminals.attach(command),
    ask,
    onNotice: (text) => this.#notices.tell(text),
  });
  #isConnecting = false;

  /** Puts the page together and connects. */
  async start(): Promise<void> {
    takeTokenFromAddress();
    window.addEventListener('hashchange', () => {
      takeTokenFromAddress();
      if (this.#connection.box === undefined) void this.#connect();
    });
    this.#toolbar.append(
      button('New terminal', () => this.#terminals.start(SHELL)),
      button('Commands', () => this.#commands.open()),
      ...this.#playButton(),
      button('Sign out', () => this.#signOut()),
    );
    document.body.append(
      this.#top,
      this.#notices.banner,
      element('main', {}, [
        element('h1', { class: 'unseen' }, ['Terminals']),
        this.#signIn.element,
        this.#terminals.element,
      ]),
      this.#notices.element,
      this.#commands.element,
    );
    this.#showTerminals(false);
    addPageFeatures(this.#ui);
    watchPageLife({
      onLeave: () => this.#leave(),
      onReturn: () => void this.#connect(),
      onHidden: () => this.#terminals.save(),
      onAwake: () => void this.#awake(),
      onOffline: () => this.#notices.show('Reconnecting: this machine has no network.'),
    });
    const saved = savedPage();
    if (saved.terminals.length > 0) {
      this.#showTerminals(true);
      await this.#terminals.restore(saved);
    }
    await this.#connect();
  }

  /** Connects with the credential that is known, and goes on with all terminals; asks for another one where it is refused. */
  async #connect(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    this.#terminals.disconnect();
    try {
      const box = await this.#connection.open(savedToken(), this.#terminals.key);
      this.#signIn.hide();
      this.#showTerminals(true);
      this.#notices.show('');
      this.#terminals.connect(box);
    } catch (error) {
      await this.#onRefused(error);
    } finally {
      this.#isConnecting = false;
    }
  }

  /** A browser does not say why a connection failed, so the page finds out what it can. */
  async #onRefused(error: unknown): Promise<void> {
    if (!(error instanceof ConnectError)) {
      this.#notices.show(`The server refused: ${textOf(error)}`, this.#tryAgain);
      return;
    }
    if (!(await this.#connection.isThere())) {
      this.#notices.show('No server answers here. What runs on it is unknown.', this.#tryAgain);
      return;
    }
    this.#notices.show('');
    this.#showTerminals(false);
    this.#signIn.show(
      savedToken() === undefined
        ? 'The server is there and wants a token, or does not know this page (--allow-origin).'
        : 'The server is there and refuses this token, or takes nobody now.',
    );
  }

  readonly #tryAgain = { label: 'Try again', run: () => void this.#connect() };

  #onStatus({ state }: BoxStatus): void {
    if (state === 'online') this.#notices.show('');
    if (state === 'away') {
      this.#notices.show('Reconnecting: the connection is lost. Terminals go on while their server runs.');
    }
    if (state === 'draining') {
      this.#notices.tell('The server is draining: it takes no new work, and ends what still runs at its deadline.');
    }
    if (state === 'offline') {
      this.#notices.show('No server can be reached. What runs there is unknown.', this.#tryAgain);
    }
  }

  async #awake(): Promise<void> {
    if (this.#connection.box !== undefined) await this.#connection.check();
    else if (this.#signIn.element.hidden) await this.#connect();
  }

  #leave(): void {
    this.#terminals.save();
    this.#terminals.disconnect();
    this.#connection.close();
  }

  /** Nothing of the user stays in this tab of the browser. */
  #signOut(): void {
    this.#terminals.clear();
    this.#connection.close();
    this.#notices.show('');
    saveToken(undefined);
    this.#showTerminals(false);
    this.#signIn.show('You are signed out. What runs goes on until the server forgets it.');
  }

  #showTerminals(isShown: boolean): void {
    this.#top.hidden = !isShown;
    this.#terminals.element.hidden = !isShown;
  }

  #playButton(): HTMLElement[] {
    const file = element('input', {
      type: 'file',
      accept: '.cast,.json,.txt',
      hidden: true,
      'aria-label': 'Recording',
    });
    file.addEventListener('change', () => {
      const [chosen] = file.files ?? [];
      file.value = '';
      if (chosen !== undefined) void this.#terminals.play(chosen);
    });
    return [button('Play a recording', () => file.click()), file];
  }
}
