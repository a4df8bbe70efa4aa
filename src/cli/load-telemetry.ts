/** Loads OpenTelemetry for a server, if the environment asks for it. Knows no command of the command line. */
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config/config.js';
import type { Sdk } from '../telemetry/sdk.js';
import { version } from '../version.js';

/** How long the last spans have to reach their receiver. This includes one repeated attempt, which comes after a second. */
export const TELEMETRY_TIMEOUT_MS = 1500;

/** Loads the SDK only if the environment asks for it, because it takes half a second and 40 MB. */
export async function loadTelemetry({ telemetry }: Config, log: FastifyBaseLogger): Promise<Sdk | undefined> {
  if (!telemetry.traces && !telemetry.metrics) return undefined;
  const { startSdk } = await import('../telemetry/sdk.js');
  return startSdk({ settings: telemetry, version, onProblem: (problem) => log.warn({ problem }, 'telemetry') });
}
