/** Refuses options that do not exist, and values that make no sense, before anything is sent. Knows what options may be, and not what they do. */
import { LONGEST_FORCE_KILL_AFTER_MS } from './defaults.js';
import { nearestWord } from './nearest.js';
import { LONGEST_TIMER_MS } from './platform.js';
import { shownValue } from './shown-value.js';

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
  'shell.run': 'line timeout onOutput',
  waitFor: 'expectation timeout',
  resize: 'cols rows',
  lines: 'stream',
  reconnect: 'maxMs',
  detachable: 'key ttl replayBytes whenFull',
  maxBuffer: 'head tail',
  expectation: 'idle',
  from: 'stdout stderr',
  sandboxPolicy: 'type networkAccess writableRoots excludeTmpdirEnvVar excludeSlashTmp',
};
/** Those that have to be given. */
const REQUIRED: Readonly<Record<string, string>> = {
  'shell.run': 'line',
  waitFor: 'expectation',
  resize: 'cols rows',
  expectation: 'idle',
  sandboxPolicy: 'type',
};

/** What to use in place of options that execa has and this client has not. */
const IN_PLACE_OF: Readonly<Record<string, string>> = {
  shell: "a shell is a command here: ['sh', '-c', '…']",
  cancelSignal: 'it is `signal` here',
  forceKillAfterDelay: 'it is `forceKillAfter` here',
  killSignal: '`run.kill(signal)` sends any signal',
  stdio: '`input` and `stdin` say what it reads; `run.stdout` and `run.stderr` are what it writes',
  stdout: 'read `run.stdout`, or `buffer: false` keeps nothing',
  stderr: 'read `run.stderr`, or `all: true` joins both',
  inputFile: '`input: createReadStream(path)` reads a file',
  extendEnv: "the server's variables are always there; `env: { NAME: null }` takes one away",
  lines: '`run.lines()` gives them',
};

/** Options that are times, in milliseconds. */
const TIME = /timeout$|^(forceKillAfter|heartbeat|maxMs|ttl|idle)$/i;
/** Options that are whole numbers. */
const COUNT = /^(window|cols|rows|maxBuffer|replayBytes|head|tail|stdout|stderr)$/;
/** Those of them that are at least 1, and not 0. */
const POSITIVE = /^(window|cols|rows|replayBytes)$/;

/** What a value may be. */
interface Kind {
  readonly text: string;
  readonly isRight: (value: unknown) => boolean;
  /** What the values in it may be; undefined is always right. Absent for what has none, or has options of its own. */
  readonly each?: Kind;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isText: Kind['isRight'] = (value) => typeof value === 'string';
const isYesOrNo: Kind['isRight'] = (value) => typeof value === 'boolean';
const isFunction: Kind['isRight'] = (value) => typeof value === 'function';
/** An object by names, and no array, `Map` or anything else whose content is lost in JSON. */
const isByName: Kind['isRight'] = (value) => isObject(value) && !(Symbol.iterator in value);
/** @param hint what to use in place of a value that people try */
const oneOf = (words: readonly string[], hint = ''): Kind => ({
  text: `${words.map((word) => `'${word}'`).join(' or ')}${hint}`,
  isRight: (value) => words.includes(value as string),
});

const TEXT: Kind = { text: 'a text', isRight: isText };
const YES_OR_NO: Kind = { text: 'true or false', isRight: isYesOrNo };
const FUNCTION: Kind = { text: 'a function', isRight: isFunction };
const OBJECT: Kind = { text: 'an object', isRight: isObject };
const YES_OR_OBJECT: Kind = {
  text: 'true, false or an object',
  isRight: (value) => isYesOrNo(value) || isObject(value),
};

/** The kinds of options that are no numbers. `input` is checked where it is read. */
const KINDS: Readonly<Record<string, Kind>> = {
  ...kindOfEach('cwd name version key line type', TEXT),
  ...kindOfEach('buffer all stripFinalNewline reject redraw takeover screen', YES_OR_NO),
  ...kindOfEach('onStatus onError onOutput traceContext openSocket openTransport', FUNCTION),
  ...kindOfEach('reconnect detachable', YES_OR_OBJECT),
  ...kindOfEach('from sandboxPolicy', OBJECT),
  encoding: oneOf(['utf8', 'bytes']),
  stdin: oneOf(['pipe', 'ignore'], ' (`input: process.stdin` gives the command what this program reads)'),
  role: oneOf(['writer', 'observer']),
  whenFull: oneOf(['pause', 'drop']),
  shell: oneOf(['bash', 'sh']),
  stream: oneOf(['stdout', 'stderr', 'all']),
  token: { text: 'a text, or a function that gives one', isRight: (value) => isText(value) || isFunction(value) },
  signal: {
    text: 'an AbortSignal, such as `controller.signal`',
    isRight: (value) => isObject(value) && 'aborted' in value && 'addEventListener' in value,
  },
  env: {
    text: 'an object of texts',
    isRight: isByName,
    each: { text: 'a text, or null to take the variable away', isRight: (value) => value === null || isText(value) },
  },
  notifications: { text: 'an object of functions', isRight: isByName, each: FUNCTION },
  expectation: {
    text: 'a text, a pattern or { idle: milliseconds }',
    isRight: (value) => isText(value) || value instanceof RegExp || (isObject(value) && 'idle' in value),
  },
};

function kindOfEach(names: string, kind: Kind): Record<string, Kind> {
  return Object.fromEntries(names.split(' ').map((name) => [name, kind]));
}

/** @throws {TypeError} naming the option and what it has to be, or the nearest right one if there is no such option */
export function checkOptions(owner: string, options: object): void {
  const names = OPTION_NAMES[owner]?.split(' ') ?? [];
  if (!isObject(options) || Array.isArray(options)) {
    throw new TypeError(
      `${owner} takes an object with ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' …' : ''}, not ${shownValue(options)}`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!names.includes(name)) {
      throw new TypeError(`${owner} has no option ${name}${adviceOn(owner, name)}`);
    }
    checkValue(owner, name, value);
  }
  for (const name of REQUIRED[owner]?.split(' ') ?? [])
    checkValue(owner, name, (options as Record<string, unknown>)[name]);
}

/** What to use in place of an option that does not exist. */
function adviceOn(owner: string, name: string): string {
  const other = owner === 'exec' && Object.hasOwn(IN_PLACE_OF, name) ? IN_PLACE_OF[name] : undefined;
  if (other !== undefined) return `; ${other}`;
  const nearest = nearestWord(name, OPTION_NAMES[owner]?.split(' ') ?? []);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

function checkValue(owner: string, name: string, value: unknown): void {
  const kind = KINDS[name];
  if (kind !== undefined && !kind.isRight(value)) throw wrongValue(owner, name, kind.text, value);
  if (isObject(value) && name in OPTION_NAMES && !(value instanceof RegExp)) checkOptions(name, value);
  else if (kind?.each !== undefined) {
    for (const [key, each] of Object.entries(value as object)) {
      if (each !== undefined && !kind.each.isRight(each))
        throw wrongValue(owner, `${name}.${key}`, kind.each.text, each);
    }
  } else if (kind === undefined && (TIME.test(name) || COUNT.test(name))) checkNumber(owner, name, value);
}

function wrongValue(owner: string, name: string, what: string, value: unknown): TypeError {
  const hint = value instanceof URL ? '; `fileURLToPath` makes a path of it' : '';
  return new TypeError(`${owner}: ${name} has to be ${what}, not ${shownValue(value)}${hint}`);
}

function checkNumber(owner: string, name: string, value: unknown): void {
  const least = POSITIVE.test(name) ? 1 : 0;
  const most = mostOf(owner, name);
  const isRight = typeof value === 'number' && value >= least && value <= most;
  const isTimeThere = isTimeOfServer(owner, name);
  const isWhole = !(COUNT.test(name) || isTimeThere) || value === most || Number.isInteger(value);
  if (isRight && isWhole) return;
  const kind = COUNT.test(name) ? 'whole number' : isTimeThere ? 'whole number of milliseconds' : 'number';
  const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `from ${least} on`;
  throw wrongValue(owner, name, `a ${kind} ${range}`, value);
}

/** Whether a time is sent to the server, which takes no fractions. */
function isTimeOfServer(owner: string, name: string): boolean {
  return /^(exec|terminal|detachable)$/.test(owner) && /^(timeout|ttl)$/.test(name);
}

function mostOf(owner: string, name: string): number {
  // A buffer may be without a bound.
  if (name === 'maxBuffer' || owner === 'maxBuffer') return Number.POSITIVE_INFINITY;
  if (name === 'forceKillAfter') return LONGEST_FORCE_KILL_AFTER_MS;
  // The timers of the server have its own bounds.
  const isTimerHere = TIME.test(name) && !/^(exec|terminal|detachable|reconnect)$/.test(owner);
  return isTimerHere ? LONGEST_TIMER_MS : Number.MAX_SAFE_INTEGER;
}
