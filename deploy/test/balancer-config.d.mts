/** Types of balancer-config.mjs for tests in TypeScript. */
export function balancerConfiguration(
  program: 'haproxy' | 'nginx',
  run: { readonly addresses?: readonly string[]; readonly port: number; readonly workFolder: string },
): Promise<string>;
