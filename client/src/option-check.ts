/** Refuses options that do not exist, and numbers that make no sense, before anything is sent. Knows what options may be, and not what they do. */
import { LONGEST_FORCE_KILL_AFTER_MS } from './defaults.js';
import { nearestWord } from './nearest.js';
import { LONGEST_TIMER_MS } from './platform.js';

const HANDLING = 'signal forceKillAfter maxBuffer window';
const START = `cwd env timeout detachable sandboxPolicy ${HANDLING}`;
const CAPTURE = 'buffer encoding all stripFinalNewline reject';
const SCREEN = 'cols rows redraw';
const ATTACHMENT = `from role takeover ${HANDLING}`;

/** The options of each call, and those of options that are objects. As `options.ts` has them. */
const OPTION_NAMES: Readonly<Record<string, string>> = {
  connect:
    'token name version connectTimeout requestTimeout closeTimeout reconnect heartbeat key onStatus notifications onError traceContext openSocket openTransport',
  exec: `input stdin ${START} ${CAPTURE}`,
  terminal: `${START} ${SCREEN}`,
  attach: `${ATTACHMENT} ${CAPTURE}`,
  attachTerminal: `screen ${ATTACHMENT} ${SCREEN}`,
  shell: 'cwd env window maxBuffer sandboxPolicy shell detachable',
  'shell.run': 'timeout onOutput',
  waitFor: 'expectation timeout',
  reconnect: 'maxMs',
  detachable: 'key ttl replayBytes whenFull',
  maxBuffer: 'head tail',
  expectation: 'idle',
  sandboxPolicy: 'type networkAccess writableRoots excludeTmpdirEnvVar excludeSlashTmp',
};

/** Options that may be objects with options of their own. */
const NESTED = /^(reconnect|detachable|maxBuffer|expectation|sandboxPolicy)$/;
/** Options that are times, in milliseconds. */
const TIME = /timeout$|^(forceKillAfter|heartbeat|maxMs|ttl|idle)$/i;
/** Options that are whole numbers. */
const COUNT = /^(window|cols|rows|maxBuffer|replayBytes|head|tail)$/;
/** Those of them that are at least 1, and not 0. */
const POSITIVE = /^(window|cols|rows|replayBytes)$/;

/** @throws {TypeError} naming the option, and the nearest right one if there is no such option */
export function checkOptions(owner: string, options: object): void {
  const names = OPTION_NAMES[owner]?.split(' ') ?? [];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!names.includes(name)) {
      const nearest = nearestWord(name, names);
      throw new TypeError(`${owner} has no option ${name}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`);
    }
    if (name === 'expectation' && (typeof value === 'string' || value instanceof RegExp)) continue;
    if (typeof value === 'object' && NESTED.test(name)) checkOptions(name, value ?? {});
    else if (TIME.test(name) || COUNT.test(name)) checkNumber(owner, name, value);
    else if (name === 'expectation') throw new TypeError('waitFor needs a text, a pattern or { idle: milliseconds }');
  }
}

function checkNumber(owner: string, name: string, value: unknown): void {
  const least = POSITIVE.test(name) ? 1 : 0;
  const most = mostOf(owner, name);
  const isRight = typeof value === 'number' && value >= least && value <= most;
  const isWhole = !COUNT.test(name) || value === most || Number.isInteger(value);
  if (isRight && isWhole) return;
  const kind = COUNT.test(name) ? 'whole number' : 'number';
  const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `from ${least} on`;
  throw new TypeError(`${owner}: ${name} has to be a ${kind} ${range}, not ${String(value)}`);
}

function mostOf(owner: string, name: string): number {
  // A buffer may be without a bound.
  if (name === 'maxBuffer' || owner === 'maxBuffer') return Number.POSITIVE_INFINITY;
  if (name === 'forceKillAfter') return LONGEST_FORCE_KILL_AFTER_MS;
  // The timers of the server have its own bounds.
  const isTimerHere = TIME.test(name) && !/^(exec|terminal|detachable|reconnect)$/.test(owner);
  return isTimerHere ? LONGEST_TIMER_MS : Number.MAX_SAFE_INTEGER;
}
