/** Input of a command that fails when the test says so. Knows no box. */

export interface BreakingSource {
  /** One piece, and then the error `broken source`. */
  readonly input: AsyncIterable<string>;
  breakNow(): void;
}

export function breakingSource(): BreakingSource {
  let breakNow = (): void => {};
  const isBroken = new Promise<void>((resolve) => {
    breakNow = resolve;
  });
  const input = (async function* () {
    yield 'a';
    // On a busy machine the client asks for the next piece only after the break, and a promise that had failed by then would be unhandled.
    await isBroken;
    throw new Error('broken source');
  })();
  return { input, breakNow };
}
