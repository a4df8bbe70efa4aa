// The types of what `agents.ts` takes from `statistics.mjs`.

/** Middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number;
/** The median of a sample, and an interval that holds the true median in 95 of 100 samples. */
export function medianInterval(values: readonly number[]): { median: number; low: number; high: number };
