/** The environment of a child as the server builds it, in one call. Knows no process. */
import { type ChildEnvironmentOptions, environmentOver, inheritedEnvironment } from '../../src/process/environment.js';
import type { Environment } from '../../src/process/os-process.js';

export function childEnvironment(options: ChildEnvironmentOptions): Environment {
  return environmentOver(inheritedEnvironment(options), options);
}
