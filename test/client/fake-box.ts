/** A box with a server in memory and a clock that only the test moves. Knows no test. */
import { decodeBase64, encodeBase64 } from '../../client/src/base64.js';
import type { Box } from '../../client/src/box.js';
import { checkCall } from '../../client/src/call-check.js';
import { CheckedBox } from '../../client/src/checked-box.js';
import { openBox } from '../../client/src/open-box.js';
import type { ConnectOptions } from '../../client/src/options.js';
import { FakeServer } from './fake-server.js';
import { ManualClock } from './manual-clock.js';

export interface FakeSetup {
  readonly server: FakeServer;
  readonly clock: ManualClock;
  connect(options?: ConnectOptions): Promise<Box>;
}

export function fakeSetup(): FakeSetup {
  const server = new FakeServer();
  const clock = new ManualClock();
  const host = {
    clock,
    encodeBase64,
    decodeBase64,
    // With 0 every delay between two tries is the longest that is possible.
    random: () => 0,
    Box: CheckedBox,
    checkOptions: checkCall,
    traceContext: () => undefined,
    openSocket: () => {
      throw new Error('the server in memory has no socket');
    },
  };
  const connect = (options: ConnectOptions = {}): Promise<Box> =>
    openBox(host, 'ws://fake', { openTransport: server.openTransport, ...options });
  return { server, clock, connect };
}

/** What a promise rejects with; undefined when it does not. */
export function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(promise).then(
    () => undefined,
    (error: unknown) => error,
  );
}
