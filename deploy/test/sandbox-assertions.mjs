// Owns what sandbox policies must hold inside a running pod, under the seccomp profile of its container. Returns problems; decides nothing.
import { WireClient } from '../../test/support/wire-client.js';

/** What a command tries. Each deed has a bit of the exit code, so that the answer is the same on pipes and on terminals. */
const DEEDS = {
  1: 'writes /workspace',
  2: 'writes /tmp',
  4: 'writes /dev/shm',
  8: 'reads /etc',
  16: 'connects to the server',
};
const script = (port) => `done=0
{ : > /workspace/sandbox-probe; } 2>/dev/null && done=$((done+1))
{ : > /tmp/sandbox-probe; } 2>/dev/null && done=$((done+2))
{ : > /dev/shm/sandbox-probe; } 2>/dev/null && done=$((done+4))
{ : < /etc/passwd; } 2>/dev/null && done=$((done+8))
{ : > /dev/tcp/127.0.0.1/${port}; } 2>/dev/null && done=$((done+16))
rm -f /workspace/sandbox-probe /tmp/sandbox-probe /dev/shm/sandbox-probe
exit $done`;
/** The deeds that succeed under each policy. The first row shows that without a policy all of them do. */
const EXPECTED = [
  [{ type: 'dangerFullAccess' }, 1 + 2 + 4 + 8 + 16],
  [{ type: 'readOnly' }, 4 + 8],
  [{ type: 'workspaceWrite' }, 1 + 2 + 4 + 8],
];

const deedsOf = (code) =>
  Object.entries(DEEDS)
    .filter(([bit]) => (code & Number(bit)) !== 0)
    .map(([, deed]) => deed)
    .join(', ') || 'nothing';

/**
 * A command under each policy, on pipes and on a terminal.
 * @param {import('./pod.mjs').Pod} pod
 * @param {{ token: string }} credentials
 * @returns {Promise<string[]>}
 */
export async function sandboxProblems(pod, { token }) {
  const address = pod.url('', 'ws', 'ws');
  const client = await WireClient.open(address, { token }).then((opened) => opened.initialize());
  const problems = [];
  for (const [sandboxPolicy, expected] of EXPECTED) {
    for (const way of [{}, { tty: true, processId: `sandbox-${sandboxPolicy.type}` }]) {
      const { result, error } = await client.exec(['bash', '-c', script(new URL(address).port)], {
        sandboxPolicy,
        ...way,
      });
      if (result?.exitCode === expected) continue;
      const where = `${sandboxPolicy.type}${way.tty === undefined ? '' : ' on a terminal'}`;
      problems.push(
        error === undefined
          ? `${where}: ${deedsOf(result.exitCode)}; it should be: ${deedsOf(expected)}`
          : `${where}: ${error.message}`,
      );
    }
  }
  await client.close();
  return problems;
}
