// Owns the seccomp profiles that stand in for RuntimeDefault: Debian's containers profile and moby's, reduced for a pod without capabilities.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** From golang-github-containers-common, which buildah depends on. */
const PROFILE_FILE = '/usr/share/containers/seccomp.json';
const ARCHITECTURE = {
  x64: { profile: 'amd64', oci: 'SCMP_ARCH_X86_64' },
  arm64: { profile: 'arm64', oci: 'SCMP_ARCH_AARCH64' },
}[process.arch];

/** @returns {Promise<object | undefined>} OCI `linux.seccomp`; undefined where Debian's profile is not installed */
export function runtimeDefaultSeccomp() {
  return ociSeccomp(PROFILE_FILE);
}

/** What Docker gives a container. @param {string} projectFolder @returns {Promise<object | undefined>} OCI `linux.seccomp` */
export function mobySeccomp(projectFolder) {
  return ociSeccomp(join(projectFolder, 'test/fixtures/seccomp/moby-default.json'));
}

/** @param {string} file in moby's format, which is that of Debian's, too @returns {Promise<object | undefined>} */
async function ociSeccomp(file) {
  if (!existsSync(file) || ARCHITECTURE === undefined) return undefined;
  const profile = JSON.parse(await readFile(file, 'utf8'));
  const applies = ({ includes = {}, excludes = {} }) =>
    (includes.caps ?? []).length === 0 &&
    (includes.arches === undefined || includes.arches.includes(ARCHITECTURE.profile)) &&
    excludes.arches?.includes(ARCHITECTURE.profile) !== true;
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: [
      ARCHITECTURE.oci,
      ...(profile.archMap.find((entry) => entry.architecture === ARCHITECTURE.oci)?.subArchitectures ?? []),
    ],
    syscalls: profile.syscalls.filter(applies).map(({ names, action, args, errnoRet }) => ({
      names,
      action,
      ...(args?.length > 0 ? { args } : {}),
      ...(errnoRet === undefined ? {} : { errnoRet }),
    })),
  };
}
