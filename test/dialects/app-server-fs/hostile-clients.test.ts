// What a client of `fs/*` could take from the others: memory by a thousand listings at once, by changes that it does not read, by files that grow while
// they are read, and by what is opened after it has left. Opens no socket.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { entriesParts, listParts } from '../../../src/dialects/app-server-fs/entries-parts.js';
import { FileTurns } from '../../../src/dialects/app-server-fs/file-turns.js';
import { createFileHandlers } from '../../../src/dialects/app-server-fs/handlers.js';
import { HeldReplies } from '../../../src/dialects/app-server-fs/held-replies.js';
import { PendingChanges } from '../../../src/dialects/app-server-fs/pending-changes.js';
import { SessionWatches } from '../../../src/dialects/app-server-fs/session-watches.js';
import { ConnectionFiles } from '../../../src/dialects/exec-server/connection-files.js';
import { createExecFileHandlers } from '../../../src/dialects/exec-server/file-handlers.js';
import { uriOfPath } from '../../../src/dialects/exec-server/file-uri.js';
import type { FileAccess } from '../../../src/files/file-access.js';
import type { ResultParts } from '../../../src/rpc/connection.js';
import type { Session } from '../../../src/session/session.js';
import { setUp } from '../../files/file-setup.js';
import { until } from '../../support/until.js';

const MIB = 1024 * 1024;
const PLACES = { quick: 4, listings: 4, changes: 4 };

/** What the handlers use of a session. */
class FakeSession {
  readonly outbox = {
    isFull: false,
    waiting: [] as (() => void)[],
    whenWritable(callback: () => void): void {
      this.waiting.push(callback);
    },
  };
  readonly connection = { isOpen: true, outbox: this.outbox };
  readonly told: { watchId: string; changedPaths: string[] }[] = [];

  notify(_method: string, params: { watchId: string; changedPaths: string[] }): void {
    this.told.push(params);
  }

  /** As the handlers take it. */
  get session(): Session {
    return this as unknown as Session;
  }
}

const textOf = ({ parts }: ResultParts): string => Buffer.concat(parts as Buffer[]).toString();

function handlersOver(access: FileAccess, limitBytes = 100 * MIB) {
  const turns = new FileTurns(PLACES);
  const watches = new SessionWatches();
  const replies = new HeldReplies(limitBytes);
  return createFileHandlers({ access, watches, replies, turns, maxReadBytes: 10 * MIB });
}

/** The same access, which counts the folders that are open at a time. */
function counting(access: FileAccess): { access: FileAccess; most: () => number } {
  let open = 0;
  let most = 0;
  const counted: FileAccess = {
    roots: access.roots,
    isRoot: (path) => access.isRoot(path),
    reach: (path, purpose) => access.reach(path, purpose),
    enter: (path, purpose) => access.enter(path, purpose),
    checkContent: (handle, stats) => access.checkContent(handle, stats),
    checkChange: (stats, realPath) => access.checkChange(stats, realPath),
    async openFolder(path, purpose) {
      const folder = await access.openFolder(path, purpose);
      open += 1;
      most = Math.max(most, open);
      const close = async (): Promise<void> => {
        open -= 1;
        await folder.close();
      };
      return { ...folder, close };
    },
  };
  return { access: counted, most: () => most };
}

t.test('few folders are listed at a time when many clients ask for many listings', async (t) => {
  const { access, at } = await setUp(t, 'plain', { 'd/a': '', 'd/b': '' });
  const counted = counting(access);
  const handlers = handlersOver(counted.access);
  const one = new FakeSession();
  const list = (of: FakeSession): Promise<unknown> => handlers['fs/readDirectory']({ path: at('d') }, of.session);
  const lists = await Promise.all(Array.from({ length: 50 }, () => list(one)));
  t.equal(counted.most(), 1, 'one of each connection');
  for (const listed of lists) t.equal(JSON.parse(textOf(listed as ResultParts)).entries.length, 2);
  const many = Array.from({ length: 30 }, () => new FakeSession());
  await Promise.all(many.flatMap((of) => [list(of), list(of), list(of)]));
  t.equal(counted.most(), 4);
  const [ended] = many as [FakeSession];
  ended.connection.isOpen = false;
  t.equal(await list(ended), undefined, 'nothing is listed for one that has left');
  t.ok(await list(one), 'its place is free');
});

t.test('copies and removals of one connection are done in their order, also when one fails', async (t) => {
  const { access, at } = await setUp(t, 'plain', { 'd/a': 'content' });
  const handlers = handlersOver(access);
  const { session } = new FakeSession();
  const done = await Promise.allSettled([
    handlers['fs/copy']({ sourcePath: at('d'), destinationPath: at('e'), recursive: true }, session),
    handlers['fs/remove']({ path: at('d'), recursive: true, force: false }, session),
    handlers['fs/remove']({ path: at('d'), recursive: true, force: false }, session),
    handlers['fs/copy']({ sourcePath: at('e/a'), destinationPath: at('f'), recursive: false }, session),
  ]);
  t.same(
    done.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  t.equal(readFileSync(at('f'), 'utf8'), 'content');
});

t.test('long list is the same text as JSON.stringify gives, with a turn of the loop in between', async (t) => {
  const entries = Array.from({ length: 2500 }, (_, n) => ({
    name: Buffer.from(`"ä\\${n}`),
    isDirectory: n % 2 === 0,
    isFile: n % 2 === 1,
    isSymlink: false,
  }));
  const plain = entries.map(({ name, isDirectory, isFile }) => ({ fileName: String(name), isDirectory, isFile }));
  for (const length of [0, 1, 1000, 1001, 2500]) {
    const order: string[] = [];
    setImmediate(() => order.push('other work'));
    const text = textOf(await entriesParts(entries.slice(0, length)));
    order.push('list');
    t.equal(text, JSON.stringify({ entries: plain.slice(0, length) }), `${length} entries`);
    if (length > 1000) t.equal(order[0], 'other work', `${length} entries`);
  }
  const more = { errors: [{ path: 'x' }], truncated: true };
  t.equal(textOf(await listParts('a', [1], (n) => ({ n }), more)), JSON.stringify({ a: [{ n: 1 }], ...more }));
});

t.test('memory of a file is counted before it is taken when the file does not tell its size or grows', async (t) => {
  const { access, at } = await setUp(t, 'plain', { small: 'x'.repeat(1000) });
  writeFileSync(at('large'), Buffer.alloc(2 * MIB));
  const { session } = new FakeSession();
  const refused = { code: -32001, data: { bound: 'maxBufferedTotalBytes' } };
  const narrow = handlersOver(access, MIB);
  await t.rejects(narrow['fs/readFile']({ path: at('large') }, session), refused);
  await t.rejects(narrow['fs/readFile']({ path: at('large'), offset: 0, limit: MIB }, session), refused);
  const replies = new HeldReplies(10_000);
  let reserve = (_bytes: number): void => {};
  const held = replies.holding(session, (take) => {
    reserve = take;
    return new Promise(() => {});
  });
  held.catch(() => {});
  reserve(9000);
  await t.rejects(
    replies.holding(session, async (take) => take(1001)),
    refused,
  );
  t.throws(() => reserve(10_001), refused, 'it has grown');
  await replies.holding(session, async (take) => take(1000));
});

t.test('changes that a client does not read are few when a program makes many', (t) => {
  const fake = new FakeSession();
  let isOver = false;
  const options = { session: fake.session, watchId: 'w', path: Buffer.from('/d'), isOver: () => isOver };
  const changes = new PendingChanges(options);
  const paths = (from: number, to: number): Buffer[] =>
    Array.from({ length: to - from }, (_, n) => Buffer.from(`/d/${'x'.repeat(200)}${1000 + from + n}`));
  changes.add(paths(0, 2));
  t.same(
    fake.told.map(({ changedPaths }) => changedPaths.length),
    [2],
    'a client that reads is told at once',
  );
  fake.outbox.isFull = true;
  for (let n = 0; n < 300; n += 1) changes.add(paths(0, 300));
  t.equal(fake.outbox.waiting.length, 1);
  fake.outbox.waiting.pop()?.();
  t.equal(fake.told.at(-1)?.changedPaths.length, 300, 'the same paths count once');
  changes.add(paths(0, 200));
  changes.add(paths(200, 400));
  changes.add(paths(0, 10));
  fake.outbox.waiting.pop()?.();
  t.same(fake.told.at(-1)?.changedPaths, ['/d', ...paths(0, 10).map(String)], 'the folder stands for all before');
  changes.add(paths(0, 1));
  isOver = true;
  fake.outbox.waiting.pop()?.();
  t.equal(fake.told.length, 3, 'nothing is told of a watch that is over');
  t.end();
});

t.test('file is not left open when the connection ends while the request waits for its sandbox', async (t) => {
  const { access, at } = await setUp(t, 'plain', { f: 'content' });
  const connections = new ConnectionFiles(access);
  const fake = new FakeSession();
  let go = (): void => {};
  const waits = new Promise<void>((resolve) => {
    go = resolve;
  });
  const handlers = createExecFileHandlers({
    access,
    connections,
    turns: new FileTurns(PLACES),
    replies: new HeldReplies(MIB),
    maxReadBytes: MIB,
    confine: async () => {
      await waits;
      return { access, close: async () => {} };
    },
  });
  const sandbox = { permissions: { type: 'managed' } } as never;
  const path = uriOfPath(at('f'));
  const opening = handlers['fs/open']({ handleId: 'h', path, sandbox }, fake.session);
  const watching = handlers['fs/watchMissing']({ watchId: 1, missing: [uriOfPath(at('g'))], sandbox }, fake.session);
  fake.connection.isOpen = false;
  connections.closeSession(fake.session);
  go();
  await Promise.all([t.rejects(opening), t.rejects(watching)]);
  const open = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  t.notOk(open.includes(at('f')));
});

t.test('watches of missing paths are bounded by their paths, and their number is free again', async (t) => {
  const { access, at } = await setUp(t, 'plain', {});
  mkdirSync(at('there'));
  const connections = new ConnectionFiles(access);
  const fake = new FakeSession();
  t.teardown(() => connections.closeSession(fake.session));
  const watch = (watchId: number, count: number): Promise<boolean> =>
    connections.watch(fake.session, watchId, {
      missing: Array.from({ length: count }, (_, n) => at(`none${n}`)),
      present: undefined,
    });
  t.equal(await watch(1, 256), true);
  t.equal(await watch(2, 256), true);
  await t.rejects(watch(3, 1), /at most 512 paths/);
  appendFileSync(at('none1'), '');
  await until('both watches are over', () => fake.told.length === 2);
  t.equal(await watch(3, 200), false, 'it is there already');
  t.equal(await connections.watch(fake.session, 3, { missing: [at('none0')], present: at('there') }), true);
});
