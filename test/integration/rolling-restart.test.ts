/** Shows that a rolling restart of three replicas behind HAProxy loses nothing, where HAProxy is installed. Knows no wire. */
import { spawnSync } from 'node:child_process';
import t from 'tap';

/** The run sends at least 5,000 requests and takes about 15 s; a busy machine takes several times as long. */
const LIMIT_MS = 180_000;

const hasHaproxy = spawnSync('sh', ['-c', 'command -v haproxy']).status === 0;

t.setTimeout(LIMIT_MS);

t.test(
  'rolling restart behind HAProxy loses no request and executes none twice when clients go on sending',
  { skip: !hasHaproxy && 'haproxy is not installed' },
  (t) => {
    const run = spawnSync(process.execPath, ['--import=tsx', 'deploy/test/rolling-haproxy.mjs'], {
      encoding: 'utf8',
      timeout: LIMIT_MS,
    });
    const [, sent, answered, lost, twice] =
      /requests sent (\d+), answered (\d+), lost (\d+), executed twice (\d+)/.exec(run.stdout) ?? [];
    t.equal(run.status, 0, run.stdout.split('\n').slice(-12).join('\n'));
    t.ok(Number(sent) >= 5000, `${sent} requests sent`);
    t.same([answered, lost, twice], [sent, '0', '0']);
    t.end();
  },
);
