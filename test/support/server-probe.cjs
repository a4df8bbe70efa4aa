// Loaded into a server under test before its first line: on SIGUSR2 it writes what the process holds into the file that TEST_PROBE_FILE names.
// Knows nothing of the server.
const { renameSync, writeFileSync } = require('node:fs');
const { queryObjects } = require('node:v8');

const file = process.env.TEST_PROBE_FILE;
// Commands that run Node inherit neither this file nor its orders.
delete process.env.TEST_PROBE_FILE;
delete process.env.NODE_OPTIONS;

/** Entries of all Maps and Sets, by what `util.inspect` says of each: there is no other way to their sizes. */
function entries() {
  return [Map, Set]
    .flatMap((kind) => queryObjects(kind, { format: 'summary' }))
    .reduce((sum, text) => sum + Number(/^\w+\((\d+)\)/.exec(text)?.[1] ?? 0), 0);
}

if (file !== undefined) {
  process.removeAllListeners('warning');
  process.on('SIGUSR2', () => {
    const timeout = setTimeout(() => {}, 0);
    clearTimeout(timeout);
    const figures = {
      // `queryObjects` collects garbage first, so that it counts only timers that are still referenced.
      timers: queryObjects(timeout.constructor, { format: 'count' }),
      listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
      resources: process.getActiveResourcesInfo(),
      entries: process.env.TEST_PROBE_ENTRIES === undefined ? undefined : entries(),
      heapBytes: process.memoryUsage().heapUsed,
    };
    writeFileSync(`${file}.new`, JSON.stringify(figures));
    renameSync(`${file}.new`, file);
  });
}
