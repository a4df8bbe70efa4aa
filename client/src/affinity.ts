/**
 * Makes the keys of detachable commands, and reads from them the part that balancers look at. Every key is `AFFINITY.random`; balancers send all
 * connections whose `?key=` has the same affinity to the same server. Knows no connection.
 */

/** Random bytes of an affinity: enough that no two clients share one. */
const AFFINITY_BYTES = 10;
/** Random bytes after the affinity. A key is no credential, but it must not be guessed. */
const RANDOM_BYTES = 16;

/** A random name that cannot be guessed: two hexadecimal digits a byte. */
export function randomName(byteCount: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(byteCount));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** An affinity that no other client has. */
export function newAffinity(): string {
  return randomName(AFFINITY_BYTES);
}

/** A key of an affinity. */
export function newKey(affinity: string): string {
  return `${affinity}.${randomName(RANDOM_BYTES)}`;
}

/** The part of a key that balancers look at: the text before the first dot. */
export function affinityOf(key: string): string {
  return key.replace(/\..*/s, '');
}

/** The URL with `?key=`, by which a balancer finds the server. A URL that has a key already stays as it is. */
export function urlWithKey(url: string, key: string): string {
  if (/[?&]key=/.test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}key=${encodeURIComponent(key)}`;
}
