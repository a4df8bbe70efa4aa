/**
 * Names of detachable commands, and the part of them that balancers look at: every key is `AFFINITY.random`, and `?key=` on the URL leads
 * all connections with one affinity to the same server. Knows no connection.
 */

/** Letters and digits of an affinity: 80 bits, so that no two clients share one. */
const AFFINITY_LENGTH = 16;
/** Letters and digits behind it: 120 bits. A key is no credential, but guessing one must be hopeless. */
const RANDOM_LENGTH = 24;
/** Without letters that look alike; 32 of them, so that every byte falls on one evenly. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';

/** A random name that nobody can guess, five bits a character. */
export function randomName(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** An affinity that no other client has. */
export function newAffinity(): string {
  return randomName(AFFINITY_LENGTH);
}

/** A key of an affinity. */
export function newKey(affinity: string): string {
  return `${affinity}.${randomName(RANDOM_LENGTH)}`;
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

/** A URL as people know it, for messages. */
export function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
