// Owns which IP addresses never leave the machine. Knows no listener and no header.

import { BlockList, isIP } from 'node:net';

const loopbackAddresses = new BlockList();
loopbackAddresses.addSubnet('127.0.0.0', 8, 'ipv4');
loopbackAddresses.addAddress('::1', 'ipv6');

/** Whether an IP address (no brackets, no port) is in 127.0.0.0/8 or ::1, IPv4 written as IPv6 included. A host name is not. */
export function isLoopbackIp(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopbackAddresses.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
