// Time that only moves when told to: `performance.now`, `Date.now` and the timers of the page follow it.
// Installed before the first `connect()`. Promises stay real; `turn()` lets all that are due run.

const realNow = performance.now.bind(performance);
const realDate = Date.now.bind(Date);

export class VirtualClock {
  #now = realNow();
  #epoch = realDate() - realNow();
  #next = 1;
  #timers = new Map();
  #channel = new MessageChannel();
  /** The longest delay that was ever asked for. */
  longest = 0;

  install() {
    performance.now = () => this.#now;
    Date.now = () => Math.round(this.#epoch + this.#now);
    globalThis.setTimeout = (fn, delay = 0, ...args) => {
      this.longest = Math.max(this.longest, delay);
      const id = this.#next++;
      // As browsers do: what does not fit into 31 bits fires at once.
      const wait = delay > 2 ** 31 - 1 || !(delay > 0) ? 0 : delay;
      this.#timers.set(id, { at: this.#now + wait, run: () => fn(...args) });
      return id;
    };
    globalThis.clearTimeout = (id) => this.#timers.delete(id);
    return this;
  }

  get now() {
    return this.#now;
  }

  get pending() {
    return this.#timers.size;
  }

  /** Resolves in a later task: all microtasks have run. */
  turn() {
    return new Promise((resolve) => {
      this.#channel.port1.onmessage = resolve;
      this.#channel.port2.postMessage(null);
    });
  }

  /** Moves time forward by `ms`, running what falls due on the way in its order. */
  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      let first = null;
      for (const [id, timer] of this.#timers) {
        if (timer.at <= end && (first === null || timer.at < this.#timers.get(first).at)) first = id;
      }
      if (first === null) break;
      const timer = this.#timers.get(first);
      this.#timers.delete(first);
      this.#now = Math.max(this.#now, timer.at);
      timer.run();
      await this.turn();
    }
    this.#now = end;
    await this.turn();
  }

  /** The machine slept: the wall clock moves, the monotonic one does not. */
  sleep(ms) {
    this.#epoch += ms;
  }
}
