/** Counts requests for files by HTTP that are under way, for the bound on them and for a drain. Knows no file. */

/** One request. It counts until both have happened. */
export interface Transfer {
  /** Its operation is done: it may go on after its client has left. */
  served(): void;
  /** Its answer was sent, or its connection has ended. */
  closed(): void;
}

export class Transfers {
  #count = 0;

  get count(): number {
    return this.#count;
  }

  begin(): Transfer {
    this.#count += 1;
    let [isServed, isClosed] = [false, false];
    const end = (): void => {
      if (isServed && isClosed) this.#count -= 1;
    };
    return {
      served() {
        if (isServed) return;
        isServed = true;
        end();
      },
      closed() {
        if (isClosed) return;
        isClosed = true;
        end();
      },
    };
  }
}
