/** Waits for something, but not for ever. Knows nothing of what it waits for. */

/** Whether some work is done within so many milliseconds. Failed work is done, too. */
export async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  const done = (): boolean => true;
  const isInTime = await Promise.race([work.then(done, done), late]);
  clearTimeout(timer);
  return isInTime;
}
