/** For the stress, which is TypeScript. @see stopped-observer.mjs */
export function measureStoppedObserver(
  port: number,
  options: { readonly bytes: number; readonly rounds: number },
): Promise<{ readonly median: number; readonly low: number; readonly high: number }>;
