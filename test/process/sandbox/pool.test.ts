// Shows which owner gets which thread of the pool, with fake threads. Restricts nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { Placeholders } from '../../../src/process/sandbox/placeholders.js';
import type { PoolBounds } from '../../../src/process/sandbox/pool-bounds.js';
import { SandboxThreadsError } from '../../../src/process/sandbox/sandbox-errors.js';
import type { PlannedSandbox, SandboxPlan } from '../../../src/process/sandbox/sandbox-plan.js';
import { type PoolThread, SandboxPool, type ThreadLease } from '../../../src/process/sandbox/sandbox-pool.js';
import type { ChildStart } from '../../../src/process/spawn-call.js';

const START: ChildStart = {
  file: '/bin/true',
  argv: ['true'],
  env: {},
  cwd: '/',
  streams: { stdin: undefined, stdout: 3, stderr: 4 },
};

class FakeThread implements PoolThread {
  static pid = 100;
  readonly key: string;
  isOver = false;
  crash: () => void = () => {};
  readonly ended: Promise<void>;
  result: Promise<number> | number = 0;
  constructor(key: string) {
    this.key = key;
    this.ended = new Promise((resolve) => {
      this.crash = () => {
        this.isOver = true;
        resolve();
      };
    });
  }
  async check(): Promise<void> {}
  async spawn(): Promise<number> {
    if (this.isOver) throw new Error('the thread is no more');
    const result = await this.result;
    FakeThread.pid += 1;
    return result === 0 ? FakeThread.pid : result;
  }
  async end(): Promise<void> {
    this.crash();
  }
}

function setUp(bounds: Partial<PoolBounds> = {}) {
  const threads: FakeThread[] = [];
  let now = 0;
  const placeholders = new Placeholders();
  const fails = new Set<string>();
  const reasons: string[] = [];
  const pool = new SandboxPool({
    placeholders,
    onBound: (reason) => reasons.push(reason),
    bounds: { waitMs: 20, ...bounds },
    nowMs: () => {
      now += 1;
      return now;
    },
    async startThread(plan) {
      const key = plan as unknown as string;
      if (fails.has(key)) throw new Error('cannot restrict itself');
      const thread = new FakeThread(key);
      threads.push(thread);
      return thread;
    },
  });
  const planned = (key: string, paths: readonly string[] = []): PlannedSandbox => ({
    key,
    placeholders: paths,
    plan: () => key as unknown as SandboxPlan,
  });
  const run = async (owner: object, key: string, paths: readonly string[] = []): Promise<ThreadLease> => {
    const lease = await pool.lease(owner, planned(key, paths));
    await lease.spawn(START);
    return lease;
  };
  /** Keys of the threads that live when all threads that were asked to end have ended. */
  const alive = async (): Promise<string[]> => {
    await new Promise((resolve) => setImmediate(resolve));
    return threads.filter(({ isOver }) => !isOver).map(({ key }) => key);
  };
  return { pool, threads, planned, run, alive, fails, reasons };
}

t.test('pool gives the same thread when the owner and the plan are the same', async (t) => {
  const { run, threads, pool } = setUp();
  const owner = {};
  const leases = await Promise.all([run(owner, 'a'), run(owner, 'a'), run(owner, 'b')]);
  t.equal(threads.length, 2);
  for (const lease of leases) lease.release();
  (await run(owner, 'a')).release();
  t.match(pool.figures, { threads: 2, idleThreads: 2, threadsStarted: 2 });
});

t.test('pool gives no thread of one owner to another until the first is released', async (t) => {
  const { run, threads, pool } = setUp();
  const [first, second] = [{}, {}];
  (await run(first, 'a')).release();
  (await run(second, 'a')).release();
  t.equal(threads.length, 2);
  pool.releaseOwner(first);
  (await run({}, 'a')).release();
  t.equal(threads.length, 2, 'a third owner gets the thread of the first');
});

t.test(
  'pool ends a thread, and gives it to no other owner, when a command of the first still runs in it',
  async (t) => {
    const { run, threads, pool, alive } = setUp();
    const owner = {};
    await run(owner, 'a');
    pool.releaseOwner(owner);
    (await run({}, 'a')).release();
    t.equal(threads.length, 2);
    t.equal(threads[0]?.isOver, true);
    t.same(await alive(), ['a']);
  },
);

t.test('pool ends the threads that have been idle longest when there are too many idle ones', async (t) => {
  const { run, alive } = setUp({ idle: 2 });
  const owner = {};
  for (const key of ['a', 'b', 'c', 'd']) (await run(owner, key)).release();
  t.same(await alive(), ['c', 'd']);
});

t.test('pool makes room by an idle thread first when all places are taken', async (t) => {
  const { run, alive, pool } = setUp({ all: 3 });
  const owner = {};
  await run(owner, 'busy');
  (await run(owner, 'idle')).release();
  await run(owner, 'busy too');
  await run(owner, 'new');
  t.same(await alive(), ['busy', 'busy too', 'new']);
  await run(owner, 'newer');
  t.same(await alive(), ['busy too', 'new', 'newer'], 'then by ending the thread that was used longest ago');
  t.equal(pool.figures.threads, 3);
});

t.test('pool lets a start wait, and refuses it in the end, when every thread is busy with another start', async (t) => {
  const { pool, planned, run } = setUp({ all: 1 });
  const owner = {};
  const starting = await pool.lease(owner, planned('a'));
  await t.rejects(run(owner, 'b'), SandboxThreadsError);
  t.equal(pool.figures.refused, 1);
  const waiting = run(owner, 'b');
  await starting.spawn(START);
  (await waiting).release();
  t.equal(pool.figures.threads, 1);
});

t.test('pool starts no thread for an owner when the owner was released while it waited', async (t) => {
  const { pool, planned, run, threads } = setUp({ all: 1, waitMs: 60_000 });
  const starting = await pool.lease({}, planned('a'));
  const owner = {};
  const waiting = t.rejects(run(owner, 'b'), { name: 'SandboxThreadsError', message: /closed/ });
  pool.releaseOwner(owner);
  await starting.spawn(START);
  await waiting;
  t.same(
    threads.map(({ key }) => key),
    ['a'],
  );
});

t.test('pool refuses another thread when the bound on all threads ever started is reached', async (t) => {
  const { run, pool, reasons } = setUp({ ever: 2 });
  const owner = {};
  (await run(owner, 'a')).release();
  (await run(owner, 'b')).release();
  await t.rejects(run(owner, 'c'), { name: 'SandboxThreadsError', message: /2 have been started/ });
  await t.rejects(run(owner, 'd'), { name: 'SandboxThreadsError' });
  t.match(reasons, [/2 have been started/], 'reported once');
  t.equal(reasons.length, 1);
  (await run(owner, 'a')).release();
  t.match(pool.figures, { threadsStarted: 2, refused: 2 });
});

t.test('pool forgets a thread when it fails or crashes', async (t) => {
  const { run, pool, fails, threads } = setUp();
  const owner = {};
  fails.add('bad');
  const both = await Promise.allSettled([run(owner, 'bad'), run(owner, 'bad')]);
  t.same(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  t.match(pool.figures, { threads: 0, threadsFailed: 1 });
  (await run(owner, 'a')).release();
  threads[0]?.crash();
  await threads[0]?.ended;
  (await run(owner, 'a')).release();
  t.equal(threads.length, 2);
  t.equal(pool.figures.threads, 1);
});

t.test('pool keeps the empty folder that stands for a protected one until its owner is released', async (t) => {
  const base = t.testdir({});
  const path = `${base}/.git`;
  const { run, pool, alive } = setUp({ idle: 0 });
  const owner = {};
  const lease = await run(owner, 'a', [path]);
  t.ok(existsSync(path));
  lease.release();
  t.same(await alive(), [], 'the thread has ended');
  t.ok(existsSync(path), 'processes that the thread started may still run');
  pool.releaseOwner(owner);
  t.notOk(existsSync(path));
});

t.test(
  'empty folder stays when it holds a file by now, and does not count as a placeholder when it was replaced',
  async (t) => {
    const base = t.testdir({});
    const path = `${base}/.git`;
    const placeholders = new Placeholders();
    t.same(placeholders.hold([path]), [path]);
    t.same(placeholders.hold([path]), [path], 'twice');
    placeholders.release([path]);
    t.ok(existsSync(path));
    writeFileSync(`${path}/config`, '');
    placeholders.release([path]);
    t.same(readdirSync(base), ['.git']);
    rmSync(path, { recursive: true });
    t.same(placeholders.hold([path]), [path]);
    rmSync(path, { recursive: true });
    mkdirSync(path);
    t.notOk(placeholders.has(path, 'another'));
    placeholders.release([path]);
    t.same(placeholders.hold([`${base}/missing/.git`]), [], 'no folder can be made there');
    t.same(placeholders.hold(['/proc/self']), [], 'an existing folder is no placeholder');
  },
);

t.test(
  "no file changes its owner when a command puts a link in the folder's place while it is created",
  { skip: process.getuid?.() === 0 ? false : 'only root can give a folder to another user' },
  async (t) => {
    const base = t.testdir({ workspace: {} });
    const [path, victim] = [`${base}/workspace/.agents`, `${base}/victim`];
    writeFileSync(victim, '');
    chownSync(`${base}/workspace`, 65_534, 65_534);
    const script = 'my ($p, $v) = @ARGV; print "up\\n"; while (1) { rmdir($p) and symlink($v, $p) }';
    const racer = spawn('perl', ['-e', `$| = 1; ${script}`, path, victim], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(racer.stdout, 'data');
    const placeholders = new Placeholders();
    let created = 0;
    for (let attempt = 0; attempt < 2000; attempt += 1) {
      const held = placeholders.hold([path]);
      created += held.length;
      placeholders.release(held);
      rmSync(path, { recursive: true, force: true });
      // Pauses now and then, so that the racer gets its turn on a machine with one core, too.
      if (attempt % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    racer.kill('SIGKILL');
    await once(racer, 'exit');
    t.ok(created > 0, `${created} folders were created`);
    t.equal(statSync(victim).uid, 0);
  },
);

t.test('pool ends everything when it is closed', async (t) => {
  const { run, pool, alive } = setUp();
  await run({}, 'a');
  (await run({}, 'b')).release();
  await pool.close();
  t.same(await alive(), []);
  t.equal(pool.figures.threads, 0);
});
