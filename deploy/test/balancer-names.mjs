// Owns the part of the names that HAProxy asks for, in namespaces of its own: it needs a name server, and /etc/resolv.conf.
import { run } from './command.mjs';
import { NAMESPACES, programWith } from './namespaced.mjs';
import { check, say, step } from './report.mjs';

/** @param {{ workFolder: string }} options */
export async function checkBalancerNames({ workFolder }) {
  step('replicas that come back with other addresses');
  const program = await programWith('haproxy-names', { workFolder });
  const { code, stdout, stderr } = await run([...NAMESPACES, ...program], { check: false });
  say(`${stdout}${stderr}`.trimEnd());
  check('HAProxy and the names passed', code === 0);
}
