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
import { forgetAll, savedPage, savedToken, saveToken, signOuts } from './store.js';
import type { Ui } from './ui.js';

/** Milliseconds between looks for a server while the page reconnects. */
const AWAY_LOOK_MS = 5_000;
const NOT_LET_IN = 'a server is there and does not let this page in. The token may have ended, or it takes nobody now.';

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
  /** Counts the attempts to connect. Only the last one says how it went. */
  #attempt = 0;
  /** Whether an attempt goes on. */
  #isConnecting = false;
  /** Whether the terminals of before the reload are back; until then what is saved is more than what is here. */
  #isRestored = false;
  #isOnline = false;
  #signOuts = signOuts();
  #awayTimer: ReturnType<typeof setInterval> | undefined;

  /** Puts the page together and connects. */
  async start(): Promise<void> {
    const given = takeTokenFromAddress();
    if (given !== undefined) saveToken(given);
    window.addEventListener('hashchange', () => this.#takeToken());
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
      onReturn: () => this.#return(),
      onHidden: () => this.#save(),
      onAwake: () => void this.#awake(),
      onOffline: () => this.#notices.show('Reconnecting: this machine has no network.'),
    });
    const saved = savedPage();
    const attempt = this.#attempt;
    if (saved.terminals.length > 0) {
      this.#showTerminals(true);
      await this.#terminals.restore(saved);
    }
    this.#isRestored = true;
    // Not if the user has signed out meanwhile.
    if (attempt === this.#attempt) await this.#connect();
  }

  /** Connects with the credential that is known, and goes on with all terminals; asks for another one where it is refused. */
  async #connect(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#terminals.disconnect();
    try {
      const box = await this.#connection.open(savedToken(), this.#terminals.key);
      this.#isOnline = true;
      this.#tellAway(false);
      this.#signIn.hide();
      this.#showTerminals(true);
      this.#notices.show('');
      this.#terminals.connect(box);
    } catch (error) {
      if (attempt === this.#attempt) await this.#onRefused(error, attempt);
    } finally {
      if (attempt === this.#attempt) this.#isConnecting = false;
    }
  }

  /** A browser does not say why a connection failed, so the page finds out what it can. */
  async #onRefused(error: unknown, attempt: number): Promise<void> {
    if (!(error instanceof ConnectError)) {
      this.#notices.show(`The server refused: ${textOf(error)}`, this.#tryAgain);
      return;
    }
    const isThere = await this.#connection.isThere();
    if (attempt !== this.#attempt) return;
    if (!isThere) {
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

  /** A link with another token, opened in this tab. Whoever is signed in stays so, since any page can open such a link. */
  #takeToken(): void {
    const token = takeTokenFromAddress();
    if (token === undefined) return;
    if (this.#isOnline) {
      this.#notices.tell('You are signed in. Sign out first to use the token of that link.');
      return;
    }
    saveToken(token);
    this.#disconnect();
    void this.#connect();
  }

  readonly #tryAgain = { label: 'Try again', run: () => void this.#connect() };

  #onStatus({ state }: BoxStatus): void {
    this.#isOnline = state === 'online' || state === 'draining';
    if (state === 'online') this.#notices.show('');
    this.#tellAway(state === 'away');
    if (state === 'draining') {
      this.#notices.tell('The server is draining: it takes no new work, and ends what still runs at its deadline.');
    }
    if (state === 'offline') {
      this.#notices.show('No server can be reached. What runs there is unknown.', this.#tryAgain);
    }
  }

  /**
   * Tells that the page comes back, for as long as it tries. A browser does not say why a connection fails; where a server is there all the same, the user
   * may know why.
   */
  #tellAway(isAway: boolean): void {
    clearInterval(this.#awayTimer);
    this.#awayTimer = undefined;
    if (!isAway) return;
    const lost = 'Reconnecting: the connection is lost. Terminals go on while their server runs.';
    this.#notices.show(lost);
    let wasThere = false;
    const timer = setInterval(async () => {
      const isThere = await this.#connection.isThere();
      if (timer !== this.#awayTimer || isThere === wasThere) return;
      wasThere = isThere;
      if (isThere) this.#notices.show(`Reconnecting: ${NOT_LET_IN}`, this.#signInAnew);
      else this.#notices.show(lost);
    }, AWAY_LOOK_MS);
    this.#awayTimer = timer;
  }

  readonly #signInAnew = {
    label: 'Sign in again',
    run: (): void => {
      this.#disconnect();
      this.#showTerminals(false);
      this.#signIn.show(`The connection is lost: ${NOT_LET_IN} Terminals go on when you are signed in.`);
    },
  };

  async #awake(): Promise<void> {
    if (this.#connection.box !== undefined) {
      await this.#connection.check();
      // The server may be on this machine, which needs no network to reach it.
      if (this.#isOnline) this.#notices.show('');
    } else if (this.#signIn.element.hidden) await this.#connect();
  }

  #leave(): void {
    try {
      this.#save();
    } finally {
      this.#disconnect();
    }
  }

  /** The back button may have kept this page from before a sign-out. */
  #return(): void {
    if (this.#isSignedOut) this.#showSignedOut();
    else void this.#connect();
  }

  #save(): void {
    if (this.#isRestored && !this.#isSignedOut) this.#terminals.save();
  }

  /** Whether this tab of the browser was signed out on another page. */
  get #isSignedOut(): boolean {
    return this.#signOuts !== signOuts();
  }

  /** The connection ends, and an attempt that goes on no longer counts. */
  #disconnect(): void {
    this.#attempt += 1;
    this.#isConnecting = false;
    this.#terminals.disconnect();
    this.#connection.close();
    this.#isOnline = false;
    this.#tellAway(false);
    this.#notices.show('');
  }

  /** Nothing of the user stays in this tab of the browser. */
  #signOut(): void {
    forgetAll();
    this.#showSignedOut();
  }

  #showSignedOut(): void {
    this.#signOuts = signOuts();
    this.#disconnect();
    this.#terminals.clear();
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
