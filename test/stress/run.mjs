// `npm run test:stress`: runs the long forms of the stress, all or the named ones, one after the other. Knows nothing of what they do.
//
//     npm run test:stress                   all of them
//     npm run test:stress -- attach         some
import { spawnSync } from 'node:child_process';

/** The long forms, each with the flags of Node that it needs. */
const RUNS = { commands: [], overload: [], sandboxes: ['--expose-gc'], attach: [], files: [] };

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(RUNS, name));
if (unknown.length > 0) {
  console.error(`there is no stress named ${unknown.join(', ')}: give some of ${Object.keys(RUNS).join(', ')}`);
  process.exit(2);
}
for (const [name, flags] of Object.entries(RUNS)) {
  if (names.length > 0 && !names.includes(name)) continue;
  console.log(`# ${name}`);
  const argv = [...flags, '--import=tsx', `test/stress/run-${name}.ts`];
  const { status } = spawnSync(process.execPath, argv, { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
