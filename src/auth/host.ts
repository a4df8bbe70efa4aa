// Owns which `Host` a loopback listener answers to (DNS rebinding). Does not know the listener.

import { isIP } from 'node:net';
import { isLoopbackIp } from './loopback.js';

/** A name or an address, then a port or none. An IPv6 address stands in brackets. */
const HOST_FIELD_VALUE = /^(?:\[([0-9a-f:.]+)\]|([^\s:@/?#[\],]+))(?::(\d{1,5}))?$/i;

const MAX_PORT = 65_535;

/**
 * Whether a request with this `Host` was meant for a loopback listener. A web page whose name was made to point to 127.0.0.1 reaches the listener,
 * but its browser still sends the page's name here. The port is not compared, because a forwarded port is rarely the same.
 * @param hostHeader The header as received. Undefined when there is none; that is refused, because every browser and every HTTP/1.1 client sends one.
 * @param allowHosts Further names (`--allow-host`), compared without regard to case, without port.
 */
export function isHostAllowed(hostHeader: string | undefined, allowHosts: readonly string[]): boolean {
  const match = HOST_FIELD_VALUE.exec(hostHeader ?? '');
  if (match === null) return false;
  const [, ipv6, name, port] = match;
  if (port !== undefined && Number(port) > MAX_PORT) return false;
  const host = (ipv6 ?? name ?? '').toLowerCase();
  return host === 'localhost' || isLoopbackIp(host) || allowHosts.some((allowed) => allowed.toLowerCase() === host);
}

/** What is wrong with a value of `--allow-host`, or undefined. */
export function problemOfAllowedHost(value: string): string | undefined {
  if (isIP(value) !== 0) return undefined;
  if (/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(value)) return undefined;
  return `invalid --allow-host ${value}; expected a host name or an IP address without port and without wildcard`;
}
