// Owns the verdict on a rolling restart: the figures that are printed and the checks on them.
import { countExecutions } from './journal.mjs';
import { check } from './report.mjs';

/**
 * @param {string} balancer
 * @param {import('./load-client.mjs').LoadFigures} figures
 * @param {{ folders: readonly string[], restarts: number, seconds: number, leastRequests: number }} run `folders`: see countExecutions
 */
export async function reportRolling(balancer, figures, { folders, restarts, seconds, leastRequests }) {
  const { twice, never } = await countExecutions(folders, figures.ids);
  console.log(
    `  ${balancer}: requests sent ${figures.sent}, answered ${figures.answered}, lost ${figures.lost}, executed twice ${twice.length}, ` +
      `reconnects ${figures.reconnects}, retries ${figures.retries}, PTYs completed ${figures.ptysCompleted} of ${figures.ptysStarted}, ` +
      `replicas restarted ${restarts}, ${seconds.toFixed(0)} s`,
  );
  check(`${balancer}: at least ${leastRequests} requests were sent`, figures.sent >= leastRequests, figures.sent);
  check(
    `${balancer}: every request was answered`,
    figures.answered === figures.sent && figures.lost === 0,
    figures.troubles.join('; '),
  );
  check(
    `${balancer}: none was executed twice, and each once`,
    twice.length === 0 && never.length === 0,
    [...twice, ...never].slice(0, 3).join(' '),
  );
  check(
    `${balancer}: terminals ran on to their end`,
    figures.ptysStarted > 0 && figures.ptysCompleted === figures.ptysStarted,
  );
}
