// The shape of a case. Types only, and the order in which cases run is in cases/all.mjs.

/**
 * @typedef {object} Metric
 * @property {string} title
 * @property {string} unit
 * @property {'lower' | 'higher'} better
 */

/**
 * @typedef {object} Context
 * @property {import('./server-process.mjs').ServerProcess} server Freshly started, not shared with another case. Not for `ownServers`.
 * @property {string} command The command line that starts it.
 * @property {boolean} quick Smaller sizes.
 */

/** @typedef {{ floors: import('./floors.mjs').Floors, quick: boolean }} FloorContext */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string} title
 * @property {string} what What is done, for the report.
 * @property {Record<string, Metric>} metrics
 * @property {(context: Context) => Promise<Record<string, number>>} run One round with one server.
 * @property {() => Promise<Record<string, number>>} [floor] A lower limit for every server in Node.
 * @property {(context: FloorContext) => Promise<Record<string, number>>} [floorInC] The same work in C with no server.
 * @property {boolean} [ownServers] Starts its servers itself.
 * @property {boolean} [perNode] Also run with the binaries given with `--node`.
 * @property {boolean} [usOnly] Not run with peers.
 * @property {number} [maxRounds] Fewer rounds than the rest.
 * @property {number} [maxSeconds] Ends the case when one round takes longer; default 30.
 * @property {boolean} [skipQuick] Not part of `--quick`.
 * @property {number} [openFiles] Descriptors it needs, in this process and in the server.
 */

export {};
