/** Runs many jobs, a few at a time. Knows no job. */

/** Runs jobs 0 to `count - 1`, `width` at a time. */
export async function inParallel(count: number, width: number, job: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await job(next - 1);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}
