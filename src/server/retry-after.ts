/** When a refused client may come back. Knows no refusal. */

/** Seconds: about as long as a balancer needs to notice. */
export const RETRY_AFTER_SECONDS = 1;
