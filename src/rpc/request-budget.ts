/** Counts requests in flight against two bounds, one of a connection and one of the whole server. */

/** The bound of the whole server, shared by all connections. */
export class TotalRequests {
  readonly max: number;
  inFlight = 0;
  constructor(max: number) {
    this.max = max;
  }
}

/** The bound of one connection, which also counts in the total. */
export class RequestBudget {
  readonly #max: number;
  readonly #total: TotalRequests;
  #inFlight = 0;

  constructor(max: number, total: TotalRequests) {
    this.#max = max;
    this.#total = total;
  }

  /** The exceeded bound, by its name in `limits`; undefined when there is room for one more request. */
  get exceeded(): 'maxRequestsPerConnection' | 'maxRequests' | undefined {
    if (this.#inFlight >= this.#max) return 'maxRequestsPerConnection';
    if (this.#total.inFlight >= this.#total.max) return 'maxRequests';
    return undefined;
  }

  take(): void {
    this.#inFlight += 1;
    this.#total.inFlight += 1;
  }

  release(): void {
    this.#inFlight -= 1;
    this.#total.inFlight -= 1;
  }
}
