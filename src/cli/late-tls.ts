/**
 * Node's `https` and `tls`, loaded when they are used: a command that talks to a `ws://` server starts some 5 ms earlier without them. The build gives this
 * file to `ws` in their place. Knows no address.
 */
import type * as https from 'node:https';
import type * as tls from 'node:tls';

/** `https.request`. */
export function request(...args: Parameters<typeof https.request>): ReturnType<typeof https.request> {
  return process.getBuiltinModule('node:https').request(...args);
}

/** `tls.connect`. */
export function connect(...args: Parameters<typeof tls.connect>): tls.TLSSocket {
  return process.getBuiltinModule('node:tls').connect(...args);
}
