// Sends the same sequences of requests to this server and to the real ones, and compares the answers, the output of processes, and the files that are
// left. Texts of errors may differ; their codes may not.
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ServerProcess } from '../support/server-process.js';
import { WireClient } from '../support/wire-client.js';
import type { WireMessage } from '../support/wire-peer.js';
import { CodexHome, RealServer } from './codex-binary.js';
import { type Folder, MEANT, SEQUENCES, type Sequence } from './sequences.js';

/** One line of the report. */
export interface Compared {
  readonly title: string;
  readonly problems: readonly string[];
}

type Protocol = Sequence['protocol'];

/** Milliseconds for one sequence on one server, on a very busy machine; one that waits longer waits in vain. */
const SEQUENCE_LIMIT_MS = 120_000;

/** Fields that say when or how much work something was. */
const VOLATILE = new Set(['createdAtMs', 'modifiedAtMs', 'seq', 'nextSeq']);

/** Runs all sequences. Yields one line for each. */
export async function* compareWithReal(bin: string, folder: string): AsyncGenerator<Compared> {
  const home = new CodexHome({ baseUrl: 'http://127.0.0.1:9', model: 'none' });
  const env = { ...home.environment('http://127.0.0.1:9'), MY_TOKEN: 'secret' };
  const ours = await ServerProcess.start({ env: { MY_TOKEN: 'secret', HOME: home.root } });
  const real: Record<Protocol, RealServer> = {
    'app-server': await RealServer.start(bin, ['app-server'], { env, cwd: folder }),
    'exec-server': await RealServer.start(bin, ['exec-server'], { env, cwd: folder }),
  };
  try {
    for (const sequence of SEQUENCES) {
      const title = `${sequence.protocol} ${sequence.name}`;
      try {
        const here = JSON.stringify(await play(sequence, ours.url, folder));
        const there = JSON.stringify(await play(sequence, real[sequence.protocol].url, folder));
        yield compared(title, here, there);
      } catch (error) {
        yield { title, problems: [`not played to its end: ${error}`] };
      }
    }
  } finally {
    await Promise.all([real['app-server'].stop(), real['exec-server'].stop(), ours.stop()]);
    home.remove();
  }
}

function compared(title: string, here: string, there: string): Compared {
  const meant = MEANT[title];
  if (here !== there && meant === undefined) return { title, problems: [`here ${here}`, `there ${there}`] };
  if (here === there && meant !== undefined && meant.isUnsteady !== true) {
    return { title, problems: ['no difference any more'] };
  }
  return { title: meant === undefined ? title : `${title}: ${meant.why}`, problems: [] };
}

/** What came of a sequence on one server. @throws {WireEndedError} when it waits for longer than two minutes */
async function play({ protocol, folder = {}, steps }: Sequence, url: string, parent: string): Promise<unknown[]> {
  const dir = mkdtempSync(join(parent, 'sequence-'));
  fill(dir, folder);
  const client = await WireClient.open(url);
  const seen: unknown[] = [];
  const limit = setTimeout(() => client.terminate(), SEQUENCE_LIMIT_MS);
  try {
    if (protocol === 'app-server') await client.initialize({ experimentalApi: true });
    else await client.ask('initialize', { clientName: 'test' });
    client.send({ method: 'initialized', params: {} });
    for (const step of steps) {
      if ('ended' in step) {
        await client.message((message) => isEnd(message, step.ended));
        seen.push(processOf(client.messages, step.ended));
      } else if ('said' in step) {
        await client.message(() => outputOf(client.messages, step.of).includes(step.said));
      } else {
        const [method, params] = JSON.parse(JSON.stringify(step).replaceAll('DIR', dir)) as [string, object];
        seen.push(plain(await client.request(method, params)));
      }
    }
    seen.push(filesOf(dir));
  } finally {
    clearTimeout(limit);
    await client.close();
    rmSync(dir, { recursive: true, force: true });
  }
  return JSON.parse(JSON.stringify(seen).replaceAll(dir, 'DIR'));
}

function fill(dir: string, folder: Folder): void {
  for (const [name, content] of Object.entries(folder)) {
    const at = join(dir, name);
    mkdirSync(dirname(at), { recursive: true });
    if (content === null) mkdirSync(at);
    else if (content.startsWith('-> ')) symlinkSync(content.slice(3), at);
    else writeFileSync(at, content);
  }
}

function filesOf(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const at = join(dir, name);
      const stats = lstatSync(at);
      if (stats.isSymbolicLink()) return `${name} -> ${readlinkSync(at)}`;
      return stats.isDirectory() ? `${name}/` : `${name} ${readFileSync(at, 'base64')}`;
    });
}

/** A reply without what may differ. */
function plain({ result, error }: WireMessage): unknown {
  if (error !== undefined) return { code: error.code };
  return sorted(result);
}

/** The same with sorted names, entries of folders sorted, joined chunks, and without numbers that differ from run to run. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(sorted);
    if (items.every(isChunk)) return Buffer.concat(items.map(({ chunk }) => Buffer.from(chunk, 'base64'))).toString();
    return items.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => !VOLATILE.has(name));
  return Object.fromEntries(
    entries.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, item]) => [name, sorted(item)]),
  );
}

function isChunk(item: unknown): item is { chunk: string } {
  return typeof item === 'object' && item !== null && 'chunk' in item && 'stream' in item;
}

function isEnd({ method, params }: WireMessage, id: string): boolean {
  if (params?.processHandle === id) return method === 'process/exited';
  return params?.processId === id && method === 'process/closed';
}

function aboutProcess(messages: readonly WireMessage[], id: string): WireMessage[] {
  return messages.filter(({ params }) => params?.processHandle === id || params?.processId === id);
}

/** All output of a process so far. */
function outputOf(messages: readonly WireMessage[], id: string): string {
  const pieces = aboutProcess(messages, id).map(({ params }) => params.deltaBase64 ?? params.chunk ?? '');
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))).toString();
}

/** What the notifications of a process said together. */
function processOf(messages: readonly WireMessage[], id: string): unknown {
  const own = aboutProcess(messages, id);
  const output: Record<string, Buffer[]> = {};
  const ends: unknown[] = [];
  const seqs: number[] = [];
  for (const { method, params } of own) {
    if (params.seq !== undefined) seqs.push(params.seq);
    const bytes = params.deltaBase64 ?? params.chunk;
    if (bytes === undefined) ends.push([method, sorted(params)]);
    else output[params.stream] = [...(output[params.stream] ?? []), Buffer.from(bytes, 'base64')];
  }
  return {
    output: sorted(
      Object.fromEntries(Object.entries(output).map(([name, pieces]) => [name, Buffer.concat(pieces).toString()])),
    ),
    ends,
    isGapFree: seqs.every((seq, index) => seq === index + 1),
  };
}
