/** Collects what a page does wrong: violations of its content policy, errors, and requests that leave its origin. Knows no terminal. */
import type { BrowserContext, Page } from 'playwright-core';

/** What pages report to {@link PageFaults.watch}. */
const REPORT = 'reportToTest';

/** The faults of all pages of one context. */
export class PageFaults {
  readonly #found: string[] = [];
  readonly #expected: RegExp[] = [];

  /** Watches a context. To be called before its first page is opened. */
  async watch(context: BrowserContext): Promise<void> {
    await context.exposeFunction(REPORT, (text: string) => this.#found.push(text));
    await context.addInitScript((report) => {
      document.addEventListener('securitypolicyviolation', (event) => {
        const tell: (text: string) => void = Reflect.get(globalThis, report);
        tell(
          `policy violated: ${event.effectiveDirective} by ${event.blockedURI} ${event.sample} at ${event.sourceFile}:${event.lineNumber}`,
        );
      });
    }, REPORT);
    context.on('page', (page) => this.#watchPage(page));
  }

  /** Names faults that a test brings about, such as a connection that fails because its server was killed. */
  expect(...patterns: readonly RegExp[]): void {
    this.#expected.push(...patterns);
  }

  /** What went wrong and was not expected. */
  get list(): readonly string[] {
    return this.#found.filter((fault) => !this.#expected.some((pattern) => pattern.test(fault)));
  }

  #watchPage(page: Page): void {
    page.on('pageerror', (error) => this.#found.push(`uncaught: ${error.stack ?? error.message}`));
    page.on('crash', () => this.#found.push('the page crashed'));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.#found.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      const isLocal = ['data:', 'blob:', 'about:'].includes(url.protocol) || url.hostname === '127.0.0.1';
      if (!isLocal) this.#found.push(`request to another place: ${url.origin}`);
      if (/token/i.test(url.href)) this.#found.push(`a token in a URL that is sent: ${url.pathname}${url.search}`);
    });
  }
}
