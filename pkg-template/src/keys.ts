// The keys of messages that wait: the core compares numbers.

const NONE = -1;

/** A key has a number for as long as anything with it waits. */
export class Keys {
  #known = new Map<string, { number: number; uses: number }>();
  #last = 0;

  /** The number of a key, of which one more message waits now. */
  use(key: string | undefined): number {
    if (key === undefined) return NONE;
    let known = this.#known.get(key);
    if (!known) this.#known.set(key, (known = { number: (this.#last = (this.#last + 1) >>> 0), uses: 0 }));
    known.uses++;
    return known.number;
  }

  /** One message of it waits no more. */
  free(key: string | undefined): void {
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known && !--known.uses) this.#known.delete(key!);
  }
}
