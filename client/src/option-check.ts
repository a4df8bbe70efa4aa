/** Refuses options that do not exist, and numbers that make no sense, before anything is sent. Knows what options may be, and not what they do. */
import { nearestWord } from './nearest.js';

const HANDLING = 'signal forceKillAfter maxBuffer window';
const START = `cwd env timeout detachable sandboxPolicy ${HANDLING}`;
const CAPTURE = 'buffer encoding all stripFinalNewline reject';
const SCREEN = 'cols rows redraw';
const ATTACHMENT = `from role takeover ${HANDLING}`;

/** The options of each call, and those of options that are objects. As `options.ts` has them. */
export const OPTION_NAMES = {
  connect:
    'token name version connectTimeout requestTimeout closeTimeout reconnect heartbeat key onStatus notifications onError traceContext openSocket openTransport',
  exec: `input stdin ${START} ${CAPTURE}`,
  terminal: `${START} ${SCREEN}`,
  attach: `${ATTACHMENT} ${CAPTURE}`,
  attachTerminal: `screen ${ATTACHMENT} ${SCREEN}`,
  shell: 'cwd env window maxBuffer sandboxPolicy shell detachable',
  reconnect: 'maxMs',
  detachable: 'key ttl replayBytes whenFull',
  maxBuffer: 'head tail',
};

/** A call, or an option that is an object. */
export type OptionOwner = keyof typeof OPTION_NAMES;

/** Options that are numbers. */
const NUMBER = /timeout$|^(forceKillAfter|heartbeat|window|cols|rows|maxBuffer|maxMs|ttl|replayBytes|head|tail)$/i;
/** Those of them that are at least 1, and not 0. */
const POSITIVE = /window|cols|rows|replayBytes/;

/** @throws {TypeError} naming the option, and the nearest right one if there is no such option */
export function checkOptions(owner: OptionOwner, options: object): void {
  const names = OPTION_NAMES[owner].split(' ');
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!names.includes(name)) {
      const nearest = nearestWord(name, names);
      throw new TypeError(`${owner} has no option ${name}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`);
    }
    if (typeof value === 'object' && /^(reconnect|detachable|maxBuffer)$/.test(name)) {
      checkOptions(name as OptionOwner, value ?? {});
    } else if (NUMBER.test(name)) {
      const least = POSITIVE.test(name) ? 1 : 0;
      // No timer can wait for ever, but a buffer may be without a bound.
      const most = name === 'maxBuffer' ? Number.POSITIVE_INFINITY : Number.MAX_SAFE_INTEGER;
      if (!(typeof value === 'number' && value >= least && value <= most)) {
        throw new TypeError(`${owner}: ${name} has to be a number from ${least} on, not ${String(value)}`);
      }
    }
  }
}
