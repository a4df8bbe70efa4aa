// The type of what `agents.ts` takes from `results.mjs`.

/** A number with three digits that count. */
export function show(value: number | undefined): string;
