/**
 * The events to come, in order of their time; events of one time come in the order in which they were added, so that a run can be repeated. A
 * heap in typed arrays, because a storm of a million clients has ten million events. Knows no model.
 */
const FIRST_CAPACITY = 1024;
/** Children of a node. Four in place of two halve the height, and all four lie beside one another in memory. */
const WIDTH = 4;

/** Events as whole numbers that mean something to the model alone. */
export class EventQueue {
  /** Time of the event that {@link EventQueue.next} returned last; 0 before. */
  now = 0;
  #size = 0;
  #added = 0;
  #times = new Float64Array(FIRST_CAPACITY);
  /** How many events were added before each. */
  #orders = new Float64Array(FIRST_CAPACITY);
  #events = new Int32Array(FIRST_CAPACITY);

  /** How many events are still to come. */
  get size(): number {
    return this.#size;
  }

  /** @param time not before {@link EventQueue.now} */
  add(time: number, event: number): void {
    if (time < this.now) throw new Error(`an event at ${time}, which is over: it is ${this.now}`);
    if (this.#size === this.#events.length) this.#grow();
    let hole = this.#size++;
    const order = this.#added++;
    while (hole > 0) {
      const parent = Math.floor((hole - 1) / WIDTH);
      // An older event of the same time goes first.
      if (this.#timeAt(parent) <= time) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#place(hole, time, order, event);
  }

  /** Takes the next event and sets the clock to its time; undefined when none is left. */
  next(): number | undefined {
    if (this.#size === 0) return undefined;
    const event = this.#events[0];
    this.now = this.#timeAt(0);
    this.#size -= 1;
    const last = this.#size;
    if (last > 0) this.#sinkFromTop(this.#timeAt(last), this.#orderAt(last), this.#events[last] ?? 0);
    return event;
  }

  #sinkFromTop(time: number, order: number, event: number): void {
    let hole = 0;
    for (;;) {
      const first = hole * WIDTH + 1;
      if (first >= this.#size) break;
      let least = first;
      const end = Math.min(first + WIDTH, this.#size);
      for (let child = first + 1; child < end; child += 1) {
        if (this.#isBefore(child, this.#timeAt(least), this.#orderAt(least))) least = child;
      }
      if (!this.#isBefore(least, time, order)) break;
      this.#move(least, hole);
      hole = least;
    }
    this.#place(hole, time, order, event);
  }

  #timeAt(index: number): number {
    return this.#times[index] ?? 0;
  }

  #orderAt(index: number): number {
    return this.#orders[index] ?? 0;
  }

  #isBefore(index: number, time: number, order: number): boolean {
    const own = this.#timeAt(index);
    return own < time || (own === time && this.#orderAt(index) < order);
  }

  #move(from: number, to: number): void {
    this.#place(to, this.#timeAt(from), this.#orderAt(from), this.#events[from] ?? 0);
  }

  #place(index: number, time: number, order: number, event: number): void {
    this.#times[index] = time;
    this.#orders[index] = order;
    this.#events[index] = event;
  }

  #grow(): void {
    const capacity = this.#events.length * 2;
    const times = new Float64Array(capacity);
    const orders = new Float64Array(capacity);
    const events = new Int32Array(capacity);
    times.set(this.#times);
    orders.set(this.#orders);
    events.set(this.#events);
    this.#times = times;
    this.#orders = orders;
    this.#events = events;
  }
}
