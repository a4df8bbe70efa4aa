/** Types of balancer.mjs for tests in TypeScript. */
export function startBalancer(
  program: 'haproxy' | 'nginx',
  options: { readonly file: string; readonly workFolder: string; readonly host?: string; readonly port: number },
): Promise<{ stop(): Promise<void> }>;
export function freePort(): Promise<number>;
