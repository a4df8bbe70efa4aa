/**
 * Landlock as data: its rights, which of them each version knows, and the bytes of its structures. It makes no call and knows no policy.
 * @see https://docs.kernel.org/userspace-api/landlock.html
 */

/** A right on files, as one bit (linux/landlock.h). */
const EXECUTE = 1 << 0;
const WRITE_FILE = 1 << 1;
const READ_FILE = 1 << 2;
const READ_DIR = 1 << 3;
const MAKE_CHAR = 1 << 6;
const MAKE_BLOCK = 1 << 11;
const TRUNCATE = 1 << 14;
const IOCTL_DEV = 1 << 15;
/** All 16 rights of ABI 5. */
const ALL = 0xffff;

/** To read, to run, to list. */
export const READ_RIGHTS = EXECUTE | READ_FILE | READ_DIR;
/** Only to list. `/` gets it, so that names are visible where nothing may be read. */
export const LIST_RIGHTS = READ_DIR;
/** All rights except making devices. */
export const WRITE_RIGHTS = ALL & ~(MAKE_CHAR | MAKE_BLOCK);
/** To use an existing device. */
export const DEVICE_RIGHTS = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV;
/** Rights that a rule on a file, instead of a folder, may hold; the kernel refuses others with EINVAL. */
export const FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/** Scopes of ABI 6: no way out of the domain through a Unix socket with an abstract name, nor by a signal. */
export const SCOPE_ABSTRACT_SOCKETS = 1 << 0;
export const SCOPE_SIGNALS = 1 << 1;

/** The newest version that this code knows (Linux 6.15). A newer kernel is used like this one. */
export const NEWEST_ABI = 7;
/** The first version that knows the scopes. */
export const SCOPES_ABI = 6;

/** Rights that a version knows; the kernel refuses an unknown one with EINVAL. */
export function knownRights(abi: number): number {
  if (abi >= 5) return ALL;
  if (abi >= 3) return ALL & ~IOCTL_DEV;
  if (abi === 2) return 0x3fff;
  return 0x1fff;
}

/** The bytes of `struct landlock_ruleset_attr`, as long as the version knows it: rights on files, on ports (none handled), scopes. */
export function rulesetAttributes({
  abi,
  scopes,
}: {
  readonly abi: number;
  /** Bits of the scopes; 0 below ABI 6. */
  readonly scopes: number;
}): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeBigUInt64LE(BigInt(knownRights(abi)), 0);
  bytes.writeBigUInt64LE(BigInt(scopes), 16);
  if (abi >= SCOPES_ABI) return bytes;
  return bytes.subarray(0, abi >= 4 ? 16 : 8);
}

/** The bytes of `struct landlock_path_beneath_attr`, which is packed. @param descriptor of what the rule is on, opened with O_PATH */
export function pathRule(rights: number, descriptor: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64LE(BigInt(rights), 0);
  bytes.writeInt32LE(descriptor, 8);
  return bytes;
}
