// The names under which the core knows messages.

const NUMBERS = 2 ** 32;

export class Tickets {
  #last: number;
  #isInUse: (ticket: number) => boolean;
  /** Before all have been given once none can be in use, and nobody is asked. */
  #again = false;

  constructor(isInUse: (ticket: number) => boolean, last = 0) {
    this.#isInUse = isInUse;
    this.#last = last;
  }

  next(): number {
    do {
      this.#last = (this.#last + 1) % NUMBERS;
      this.#again ||= !this.#last;
    } while (this.#again && this.#isInUse(this.#last));
    return this.#last;
  }
}
