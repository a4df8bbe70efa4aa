// Owns the question whether this machine can run the deployment test. Installs nothing.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Program → Debian package it comes from. */
const PROGRAMS = {
  buildah: 'buildah',
  runc: 'runc',
  podman: 'podman netavark aardvark-dns catatonit',
  'podman-compose': 'podman-compose',
  iptables: 'iptables',
  mmdebstrap: 'mmdebstrap',
  haproxy: 'haproxy',
  nginx: 'nginx-light',
  ip: 'iproute2',
  unshare: 'util-linux',
  npm: 'nodejs',
};

/** Debian keeps these for root; a user's PATH often lacks them. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/**
 * @param {string} program
 * @returns {string | undefined} its path
 */
export function findProgram(program) {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS]) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

/**
 * @param {string} projectFolder
 * @returns {string[]} what is missing, in words; empty when the test can run
 */
export function missingRequirements(projectFolder) {
  const missing = [];
  if (process.platform !== 'linux') missing.push('Linux');
  if (process.getuid?.() !== 0) missing.push('root');
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    if (findProgram(program) === undefined) missing.push(`${program} (Debian: apt-get install ${debianPackage})`);
  }
  for (const name of ['typescript', 'esbuild', 'ws']) {
    if (!existsSync(join(projectFolder, 'node_modules', name))) missing.push(`node_modules/${name} (npm ci)`);
  }
  return missing;
}
