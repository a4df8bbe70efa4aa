/**
 * Names of detachable commands, and the part of them that balancers look at: every key is `AFFINITY.random`, and `?key=` on the URL leads
 * all connections with one affinity to the same server. Knows no connection.
 */

/** Bytes of an affinity: so many that no two clients share one. */
const AFFINITY_BYTES = 10;
/** Bytes behind it. A key is no credential, but guessing one must be hopeless. */
const RANDOM_BYTES = 16;

/** A random name that nobody can guess: two digits a byte. */
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

/** The part of a key that balancers look at: all before the first dot. */
export function affinityOf(key: string): string {
  return key.split('.', 1)[0] ?? key;
}

/** The URL of a server with the key that leads to it. A URL that names a key of its own keeps it. */
export function urlWithKey(url: string, key: string): string {
  if (/[?&]key=/.test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}key=${encodeURIComponent(key)}`;
}
