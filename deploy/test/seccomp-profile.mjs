// Owns the seccomp profile that stands in for RuntimeDefault: Debian's containers profile, reduced for a pod without capabilities.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** From golang-github-containers-common, which buildah depends on. */
const PROFILE_FILE = '/usr/share/containers/seccomp.json';
const ARCHITECTURE = {
  x64: { profile: 'amd64', oci: 'SCMP_ARCH_X86_64' },
  arm64: { profile: 'arm64', oci: 'SCMP_ARCH_AARCH64' },
}[process.arch];

/**
 * @returns {Promise<object | undefined>} OCI `linux.seccomp`; undefined where Debian's profile is not installed
 */
export async function runtimeDefaultSeccomp() {
  if (!existsSync(PROFILE_FILE) || ARCHITECTURE === undefined) return undefined;
  const profile = JSON.parse(await readFile(PROFILE_FILE, 'utf8'));
  const applies = ({ includes = {} }) =>
    (includes.caps ?? []).length === 0 &&
    (includes.arches === undefined || includes.arches.includes(ARCHITECTURE.profile));
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
