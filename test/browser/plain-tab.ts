/**
 * A tab of a browser that is in the background when another one is in front. The tabs of playwright always believe that they are in front. Knows no
 * terminal.
 */
import type { Browser, CDPSession } from 'playwright-core';

/** A tab. */
export class PlainTab {
  readonly #browser: CDPSession;
  readonly #targetId: string;
  readonly #sessionId: string;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #lastId = 0;

  private constructor(browser: CDPSession, targetId: string, sessionId: string) {
    this.#browser = browser;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
    browser.on('Target.receivedMessageFromTarget', (event) => {
      if (event.sessionId !== sessionId) return;
      const { id, result } = JSON.parse(event.message);
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  /** Opens a tab, which is in front. */
  static async open(browser: Browser, url: string): Promise<PlainTab> {
    const session = await browser.newBrowserCDPSession();
    const { targetId } = await session.send('Target.createTarget', { url });
    const { sessionId } = await session.send('Target.attachToTarget', { targetId, flatten: false });
    return new PlainTab(session, targetId, sessionId);
  }

  /** A command of Chromium's protocol for this tab. @returns its result, of which the caller knows the form */
  async send<T>(method: string, params: object = {}): Promise<T> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = new Promise<unknown>((resolve) => this.#waiting.set(id, resolve));
    const message = JSON.stringify({ id, method, params });
    await this.#browser.send('Target.sendMessageToTarget', { sessionId: this.#sessionId, message });
    return (await answered) as T;
  }

  /** The value of an expression; undefined while the tab is on its way from one document to another. */
  async valueOf<T>(expression: string): Promise<T | undefined> {
    type Evaluated = { readonly result: { readonly value: T } } | undefined;
    return (await this.send<Evaluated>('Runtime.evaluate', { expression }))?.result.value;
  }

  /** Types text, and Enter. */
  async typeLine(text: string): Promise<void> {
    await this.send('Input.insertText', { text });
    const key = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', text: '\r', ...key });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key });
  }

  async bringToFront(): Promise<void> {
    await this.#browser.send('Target.activateTarget', { targetId: this.#targetId });
  }
}
