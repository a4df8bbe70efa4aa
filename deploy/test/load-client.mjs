// Owns a continuous load of short commands and terminals that reconnects as a careful client does, and its figures. Knows nothing of replicas.
import { setTimeout as delay } from 'node:timers/promises';
import { WireClient, WireEndedError } from '../../test/support/wire-client.js';

/** Close codes by which the server says that it has not executed the requests without an answer (docs/protocol.md, "Drain"). */
const NOTHING_STARTED_CODES = new Set([1000, 1001, 1012]);
/** Milliseconds for an upgrade. */
const OPEN_TIMEOUT_MS = 10_000;
/** Refusals by which nothing was started: try again elsewhere. */
const RETRY_CODES = new Set([-32001, -32004]);
const RETRY_DELAY_MS = 50;
/** A request is given up as lost after so many tries; at 50 ms and more each, half a minute. */
const MAX_TRIES = 600;
/** Ticks of a terminal, 100 ms apart: 3 s, so that some are always open when a replica leaves. */
const TERMINAL_TICKS = 30;

/** Each command leaves one line in the replica's working directory: the proof of how often it ran. */
const SHORT_SCRIPT = 'echo "$1" >> journal; echo "$1"';
const TERMINAL_SCRIPT = `i=0; while [ $i -lt ${TERMINAL_TICKS} ]; do echo tick; i=$((i+1)); sleep 0.1; done; echo "$1" >> journal`;

/**
 * @typedef {object} LoadFigures
 * @property {number} sent requests begun
 * @property {number} answered replies with the right content
 * @property {number} lost no reply, or a wrong one: the client cannot know what happened
 * @property {number} reconnects connections opened after a worker's first
 * @property {number} retries tries repeated because nothing had been started
 * @property {number} ptysStarted
 * @property {number} ptysCompleted terminals whose whole output and exit code arrived
 * @property {string[]} ids every request's unique id
 * @property {string[]} troubles the first few losses, in words
 */

/**
 * What became of a request.
 * @typedef {{ kind: 'reply', result: any } | { kind: 'refused', error: any } | { kind: 'notStarted' } | { kind: 'unknown', code: number }} Outcome
 */

/** Opens and initializes a connection that keeps nothing. */
async function open(url, token) {
  const client = await WireClient.open(url, { path: '', token, socket: { handshakeTimeout: OPEN_TIMEOUT_MS } });
  client.forgetsMessages = true;
  await client.initialize();
  client.send({ method: 'initialized' });
  return client;
}

/** Runs a command to its end, and never rejects. @returns {Promise<Outcome>} */
async function outcomeOf(client, { command, ...params }) {
  if (client.end !== undefined || client.ws.readyState !== client.ws.OPEN) return { kind: 'notStarted' };
  try {
    const { result, error } = await client.exec(command, params);
    return error === undefined ? { kind: 'reply', result } : { kind: 'refused', error };
  } catch (error) {
    if (!(error instanceof WireEndedError)) throw error;
    return NOTHING_STARTED_CODES.has(error.code) ? { kind: 'notStarted' } : { kind: 'unknown', code: error.code };
  }
}

/**
 * Starts the load.
 * @param {{ url: string, token?: string, workers?: number, terminals?: number, pauseMs?: number, cwd?: string }} options
 *   `pauseMs` (default 40): between two requests of one worker; `cwd`: where commands leave their lines, default the replica's
 * @returns {{ figures: LoadFigures, stop: () => Promise<LoadFigures>, abort: () => Promise<LoadFigures> }} `stop` lets what is
 *   under way finish; `abort` also tries nothing again
 */
export function startLoad({ url, token, workers = 12, terminals = 4, pauseMs = 40, cwd }) {
  const figures = {
    sent: 0,
    answered: 0,
    lost: 0,
    reconnects: 0,
    retries: 0,
    ptysStarted: 0,
    ptysCompleted: 0,
    ids: [],
    troubles: [],
  };
  const run = `${process.pid}-${Date.now().toString(36)}`;
  let stopping = false;
  let aborted = false;

  /** One worker's connection: opened when needed, left when the server drains. */
  function createSlot() {
    let link;
    let opened = 0;
    return {
      async get() {
        if (link !== undefined && !link.isDraining && link.end === undefined) return link;
        link = await open(url, token);
        opened += 1;
        if (opened > 1) figures.reconnects += 1;
        return link;
      },
      close: () => void link?.close(),
    };
  }

  /** Delivers one request, over several connections if necessary. Resolves with its result, or undefined when it is lost. */
  async function deliver(slot, id, params, begin) {
    let reason = 'no try was accepted';
    for (let tries = 0; tries < MAX_TRIES && !(aborted && tries > 0); tries += 1) {
      if (tries > 0) {
        figures.retries += 1;
        await delay(RETRY_DELAY_MS + Math.random() * RETRY_DELAY_MS);
      }
      const link = await slot.get().catch((error) => {
        reason = error.message;
      });
      if (link === undefined) continue;
      if (begin !== undefined) link.onOutput(params.processId, begin());
      const outcome = await outcomeOf(link, params);
      if (outcome.kind === 'reply') return outcome.result;
      if (outcome.kind === 'unknown' || (outcome.kind === 'refused' && !RETRY_CODES.has(outcome.error.code))) {
        reason = JSON.stringify(outcome);
        break;
      }
    }
    figures.lost += 1;
    if (figures.troubles.length < 5) figures.troubles.push(`${id}: ${reason}`);
    return undefined;
  }

  async function shortWorker(name) {
    const slot = createSlot();
    for (let count = 0; !stopping; count += 1) {
      const id = `${run}-s${name}-${count}`;
      figures.sent += 1;
      figures.ids.push(id);
      const result = await deliver(slot, id, { cwd, command: ['/bin/sh', '-c', SHORT_SCRIPT, 'sh', id] });
      if (result !== undefined) settle(id, result.exitCode === 0 && result.stdout === `${id}\n`, result);
      await delay(pauseMs);
    }
    slot.close();
  }

  async function terminalWorker(name) {
    const slot = createSlot();
    for (let count = 0; !stopping; count += 1) {
      const id = `${run}-t${name}-${count}`;
      figures.sent += 1;
      figures.ptysStarted += 1;
      figures.ids.push(id);
      let output = '';
      const begin = () => {
        output = '';
        return (chunk) => {
          output += chunk.toString();
        };
      };
      const command = ['/bin/sh', '-c', TERMINAL_SCRIPT, 'sh', id];
      const result = await deliver(
        slot,
        id,
        { cwd, command, processId: id, tty: true, disableTimeout: true, disableOutputCap: true },
        begin,
      );
      if (result === undefined) continue;
      const whole = result.exitCode === 0 && output.split('tick').length - 1 === TERMINAL_TICKS;
      if (whole) figures.ptysCompleted += 1;
      settle(id, whole, { ...result, output: output.length });
    }
    slot.close();
  }

  function settle(id, right, result) {
    if (right) figures.answered += 1;
    else {
      figures.lost += 1;
      if (figures.troubles.length < 5)
        figures.troubles.push(`${id}: wrong reply ${JSON.stringify(result).slice(0, 300)}`);
    }
  }

  const all = [
    ...Array.from({ length: workers }, (_, index) => shortWorker(index)),
    ...Array.from({ length: terminals }, (_, index) => terminalWorker(index)),
  ];
  const stop = async () => {
    stopping = true;
    await Promise.all(all);
    return figures;
  };
  return {
    figures,
    stop,
    abort: () => {
      aborted = true;
      return stop();
    },
  };
}
