/**
 * Every metric of this server, defined once: for the Prometheus scrape, for OTLP, for `docs/observability.md` and for the dashboard. Knows nothing of
 * where the numbers come from. Every label has few values, and clients cannot add any.
 */

/** One metric. */
export interface Instrument {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, of a histogram only. */
  readonly buckets?: readonly number[];
}

/** Seconds. Requests that start nothing take tens of microseconds; `command/exec` lasts as long as its command. */
const REQUEST_BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600];
/** Seconds. A start takes one to four milliseconds on a machine that is not overloaded. */
const SPAWN_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5];
/** Seconds. From `/bin/true` to a terminal that is open all day. */
const COMMAND_BUCKETS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 7200, 43_200];

export const instruments = {
  buildInfo: {
    name: 'execwire_build_info',
    kind: 'gauge',
    help: 'Always 1; the labels name the versions.',
    labels: ['version', 'node'],
  },
  phase: {
    name: 'execwire_phase',
    kind: 'gauge',
    help: '1 for the phase the service is in (starting, running, leaving, draining, closed), 0 for the others.',
    labels: ['phase'],
  },
  connections: {
    name: 'execwire_connections',
    kind: 'gauge',
    help: 'Open connections by transport.',
    labels: ['transport'],
  },
  connectionsOpened: {
    name: 'execwire_connections_opened_total',
    kind: 'counter',
    help: 'Connections ever opened, by transport.',
    labels: ['transport'],
  },
  connectionsClosed: {
    name: 'execwire_connections_closed_total',
    kind: 'counter',
    help: 'Connections ended, by close code; `other` for codes that neither side of this protocol uses.',
    labels: ['code'],
  },
  sessions: {
    name: 'execwire_sessions',
    kind: 'gauge',
    help: 'Connections that are initialized.',
    labels: [],
  },
  upgradesRefused: {
    name: 'execwire_upgrades_refused_total',
    kind: 'counter',
    help: 'Upgrades that were answered with an error, by HTTP status.',
    labels: ['status'],
  },
  requests: {
    name: 'execwire_requests_total',
    kind: 'counter',
    help: 'Requests served, by method (`other` for unknown ones) and by error code (`ok` for none).',
    labels: ['method', 'code'],
  },
  requestDuration: {
    name: 'execwire_request_duration_seconds',
    kind: 'histogram',
    help: 'Time from the arrival of a request to its reply, by method. That of command/exec is the time of the command.',
    labels: ['method'],
    buckets: REQUEST_BUCKETS,
  },
  requestsInFlight: {
    name: 'execwire_requests_in_flight',
    kind: 'gauge',
    help: 'Requests that have no reply yet.',
    labels: [],
  },
  refusals: {
    name: 'execwire_refusals_total',
    kind: 'counter',
    help: 'Requests answered with an error, by `data.reason`.',
    labels: ['reason'],
  },
  commands: {
    name: 'execwire_commands_total',
    kind: 'counter',
    help: 'Commands ended, by kind (`tty`, `streamed`, `buffered`) and outcome (`success`, `failure`, `signal`, `timeout`, `not_started`).',
    labels: ['kind', 'outcome'],
  },
  commandsRunning: {
    name: 'execwire_commands_running',
    kind: 'gauge',
    help: 'Commands that have not ended.',
    labels: [],
  },
  commandsDetached: {
    name: 'execwire_commands_detached',
    kind: 'gauge',
    help: 'Commands that run with nobody attached.',
    labels: [],
  },
  replayBytes: {
    name: 'execwire_replay_bytes',
    kind: 'gauge',
    help: 'Memory that holds output of detachable commands.',
    labels: [],
  },
  gapBytes: {
    name: 'execwire_gap_bytes_total',
    kind: 'counter',
    help: 'Bytes of output that were dropped before a view got them.',
    labels: [],
  },
  gaps: {
    name: 'execwire_gaps_total',
    kind: 'counter',
    help: 'Gaps that were reported to views.',
    labels: [],
  },
  takeovers: {
    name: 'execwire_takeovers_total',
    kind: 'counter',
    help: 'Writers that were replaced by a takeover.',
    labels: [],
  },
  commandsExpired: {
    name: 'execwire_commands_expired_total',
    kind: 'counter',
    help: 'Detachable commands that were ended because no client came back in time.',
    labels: [],
  },
  commandDuration: {
    name: 'execwire_command_duration_seconds',
    kind: 'histogram',
    help: 'Time from the start of a command to the end of its output, by kind.',
    labels: ['kind'],
    buckets: COMMAND_BUCKETS,
  },
  spawnDuration: {
    name: 'execwire_spawn_duration_seconds',
    kind: 'histogram',
    help: 'Time until a command ran, by kind.',
    labels: ['kind'],
    buckets: SPAWN_BUCKETS,
  },
  fileRequests: {
    name: 'execwire_file_requests_total',
    kind: 'counter',
    help: 'Requests for files by HTTP, by method and status; `broken` if the connection ended before the answer was complete.',
    labels: ['method', 'status'],
  },
  fileRequestDuration: {
    name: 'execwire_file_request_duration_seconds',
    kind: 'histogram',
    help: 'Time of these requests until the answer was sent, by method.',
    labels: ['method'],
    buckets: REQUEST_BUCKETS,
  },
  fileRequestsInFlight: {
    name: 'execwire_file_requests_in_flight',
    kind: 'gauge',
    help: 'Such requests that are not answered yet.',
    labels: [],
  },
  fileBytes: {
    name: 'execwire_file_bytes_total',
    kind: 'counter',
    help: 'Bytes of files and tars by HTTP, by direction (`received`, `sent`), counted at the end of each request.',
    labels: ['direction'],
  },
  outputBytes: {
    name: 'execwire_output_bytes_total',
    kind: 'counter',
    help: 'Bytes that commands wrote, running ones included, dropped ones too.',
    labels: [],
  },
  stdinBytes: {
    name: 'execwire_stdin_bytes_total',
    kind: 'counter',
    help: 'Bytes that commands took from clients, running ones included.',
    labels: [],
  },
  pausedSeconds: {
    name: 'execwire_output_paused_seconds_total',
    kind: 'counter',
    help: 'Time that commands were held back because their client read slowly, running ones included.',
    labels: [],
  },
  outboxBytes: {
    name: 'execwire_outbox_bytes',
    kind: 'gauge',
    help: 'Bytes of replies and output that wait for clients to read them.',
    labels: [],
  },
  eventLoopDelay: {
    name: 'execwire_event_loop_delay_seconds',
    kind: 'gauge',
    help: 'How late timers of the event loop are; a long delay is shown for a second.',
    labels: [],
  },
  spansExported: {
    name: 'execwire_spans_exported_total',
    kind: 'counter',
    help: 'Spans that the OTLP receiver took.',
    labels: [],
  },
  spansDropped: {
    name: 'execwire_spans_dropped_total',
    kind: 'counter',
    help: 'Sampled spans that were lost, by reason: `queue_full`, `export_failed`.',
    labels: ['reason'],
  },
  logLinesDropped: {
    name: 'execwire_log_lines_dropped_total',
    kind: 'counter',
    help: 'Log lines lost because standard error took no more.',
    labels: [],
  },
  sandboxThreads: {
    name: 'execwire_sandbox_threads',
    kind: 'gauge',
    help: 'Threads that start commands under a sandbox policy, idle ones included.',
    labels: [],
  },
  sandboxThreadsStarted: {
    name: 'execwire_sandbox_threads_started_total',
    kind: 'counter',
    help: 'Such threads ever started; 5000 are the most.',
    labels: [],
  },
  sandboxThreadStartSeconds: {
    name: 'execwire_sandbox_thread_start_seconds_total',
    kind: 'counter',
    help: 'Time that the starts of these threads took; the first command under a policy waits for one.',
    labels: [],
  },
  sandboxThreadsFailed: {
    name: 'execwire_sandbox_threads_failed_total',
    kind: 'counter',
    help: 'Such threads that could not restrict themselves, so that nothing was started.',
    labels: [],
  },
  sandboxRefusals: {
    name: 'execwire_sandbox_refusals_total',
    kind: 'counter',
    help: 'Commands refused because of a bound on these threads.',
    labels: [],
  },
} as const satisfies Record<string, Instrument>;

export type InstrumentKey = keyof typeof instruments;
