// Events as the platform has them, made only for those who listen.
/** An `EventTarget` that knows who has had an event. */
export class Announcer extends EventTarget {
  /** The events that anyone ever listened to: nothing is made for nobody. */
  #heard = new Set<string>();
  /** What the platform is given in place of each listener, so that who has had an event is known, not guessed. */
  #stands = new WeakMap<object, (event: Event) => void>();
  /** A listener has been called since the last event was made. */
  #got = false;

  override addEventListener(type: string, listener: any, options?: boolean | AddEventListenerOptions): void {
    this.#heard.add(type);
    super.addEventListener(type, this.#standIn(listener), options);
  }

  override removeEventListener(type: string, listener: any, options?: boolean | EventListenerOptions): void {
    super.removeEventListener(type, this.#standIn(listener), options);
  }

  /** Dispatches an event now. `missed` runs if nobody got it. */
  protected announce(name: string, fields: () => object, missed?: () => void): void {
    this.#got = false;
    if (this.#heard.has(name)) this.dispatchEvent(Object.assign(new Event(name), fields()));
    if (!this.#got) missed?.();
  }

  protected hears(name: string): boolean {
    return this.#heard.has(name);
  }

  /** Always the same one: adding twice and removing stay the platform's business. */
  #standIn(listener: any): any {
    let standIn = this.#stands.get(listener);
    if (listener && !standIn) {
      standIn = (event) => {
        this.#got = true;
        typeof listener === 'function' ? listener.call(this, event) : listener.handleEvent(event);
      };
      // Node removes for a `signal` by calling us with what it was given.
      this.#stands.set(listener, standIn).set(standIn, standIn);
    }
    return standIn;
  }
}

/** Where the platform has none yet, what libraries that bring it use. */
export const asyncDispose = (Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')) as typeof Symbol.asyncDispose;

export const noop = () => {};

/** Nobody need take it: `undelivered` tells of it too. */
export function refused(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(noop);
  return promise;
}

/** Calls a function when the signal is aborted; returns what takes the listener away again. */
export function onAbort(signal: AbortSignal | undefined, fn: () => void): () => void {
  if (!signal) return noop;
  signal.addEventListener('abort', fn, { once: true });
  return () => signal.removeEventListener('abort', fn);
}
