/** Finds and starts Debian's Chromium. Knows no page and no server. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Where Debian installs it. The variable `CHROMIUM_BIN` names another one. */
const CHROMIUM = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';

/** Milliseconds for its start on a very busy machine. */
const START_MS = 120_000;

/** No name but loopback is looked up, and nothing is fetched, reported or updated. */
const QUIET = [
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
];

/** What playwright turns off, and users have. */
const WITHHELD = [
  '--disable-back-forward-cache',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-background-timer-throttling',
];

/** Which browser to start. */
export interface ChromiumOptions {
  /** Whether pages get WebGL, rendered by software. Default: false, and terminals are then drawn as text in the document, which tests read. */
  readonly hasWebGl?: boolean;
  /** Further flags. */
  readonly flags?: readonly string[];
}

/** Why there is no browser here; undefined if there is one. */
export function chromiumMissing(): string | undefined {
  return existsSync(CHROMIUM) ? undefined : `${CHROMIUM} is missing (Debian: apt-get install chromium)`;
}

/** Starts a browser with an empty profile of its own, which is removed at its end. */
export function startChromium({ hasWebGl = false, flags = [] }: ChromiumOptions = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    // The sandbox needs rights that a container, or root, does not have. The pages are the project's own.
    chromiumSandbox: false,
    timeout: START_MS,
    ignoreDefaultArgs: WITHHELD,
    args: [
      ...QUIET,
      '--disable-gpu',
      ...(hasWebGl ? ['--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'] : ['--disable-3d-apis']),
      ...flags,
    ],
  });
}
