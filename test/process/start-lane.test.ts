// Shows how many starts run at once, in which order others wait, and that they are refused when none of the running ones ends. Starts nothing.
import t from 'tap';
import { ShortageError } from '../../src/process/os-process.js';
import { StartLane } from '../../src/process/start-lane.js';

/** Jobs that end when a test says so. */
class Jobs {
  readonly begun: number[] = [];
  readonly #ends = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();

  job(number: number): () => Promise<number> {
    return () => {
      this.begun.push(number);
      return new Promise((resolve, reject) => {
        this.#ends.set(number, { resolve: () => resolve(number), reject });
      });
    };
  }

  end(number: number): void {
    this.#ends.get(number)?.resolve();
  }

  fail(number: number): void {
    this.#ends.get(number)?.reject(new Error(String(number)));
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('lane runs as many starts at once as it has places, in their order, when more wait', async (t) => {
  const lane = new StartLane(() => 3);
  const jobs = new Jobs();
  const runs = [1, 2, 3, 4, 5].map((number) => lane.run(jobs.job(number)));
  await turn();
  t.same(jobs.begun, [1, 2, 3]);
  jobs.end(2);
  t.equal(await runs[1], 2);
  await turn();
  t.same(jobs.begun, [1, 2, 3, 4]);
  jobs.fail(1);
  await t.rejects(async () => await runs[0], /1/);
  await turn();
  t.same(jobs.begun, [1, 2, 3, 4, 5], 'a failed start frees its place, too');
  for (const number of [3, 4, 5]) jobs.end(number);
  t.same(await Promise.all(runs.slice(2)), [3, 4, 5]);
  t.equal(lane.underWay, 0);
});

t.test('lane refuses starts that wait when no running start ends, and takes others when one does', async (t) => {
  const lane = new StartLane(() => 1, { standstillMs: 5 });
  const jobs = new Jobs();
  const stuck = lane.run(jobs.job(1));
  for (let i = 0; i < 2; i += 1) {
    await t.rejects(lane.run(jobs.job(2)), new ShortageError('starts'));
  }
  t.same(jobs.begun, [1], 'a refused start never begins');
  jobs.end(1);
  t.equal(await stuck, 1);
  const next = lane.run(jobs.job(3));
  jobs.end(3);
  t.equal(await next, 3);
});
