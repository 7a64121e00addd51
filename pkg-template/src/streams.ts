// Messages as async iterators.
import { asyncDispose, noop, onAbort } from './events.ts';
import { checkSignal } from './options.ts';

interface Waiting<Message> {
  message: Message;
  /** The iterator is done with it. */
  done(): void;
}

const OVER = { done: true, value: undefined } as const;

/** The iterators of one wire. */
export class Streams<Message> {
  #open = new Set<() => void>();
  #ended = false;

  /**
   * `subscribe` starts the messages. Of those that are `held`, each is done only at the pull behind its own: the handler answers
   * the promise of that. Of the others at most `max` wait to be pulled: beyond it the oldest leaves, and `overrun` is told, once
   * until all has been pulled.
   */
  open(
    subscribe: (handler: (message: Message) => Promise<void> | void) => () => void, held: (message: Message) => boolean, max: number,
    options: { signal?: AbortSignal } | null | undefined, overrun: () => void,
  ): AsyncIterableIterator<Message> {
    const { signal } = options ?? {};
    if (signal) checkSignal(signal);
    let waiting: Waiting<Message>[] = [];
    const pulls: ((result: IteratorResult<Message, undefined>) => void)[] = [];
    let inHand = noop;
    let loose = 0;
    let ended = false;
    let told = false;
    let unhook = noop;
    let unsubscribe = noop;
    const end = () => {
      ended = true;
      unsubscribe();
      unhook();
      this.#open.delete(end);
      for (const pull of pulls.splice(0)) pull(OVER);
    };
    const give = (): IteratorResult<Message, undefined> | undefined => {
      const next = waiting.shift();
      if (!next) {
        told = false;
        return ended ? OVER : undefined;
      }
      inHand = next.done;
      if (inHand === noop) loose--;
      return { done: false, value: next.message };
    };
    const finish = () => {
      end();
      inHand();
      inHand = noop;
      for (const { done } of waiting) done();
      waiting = [];
      return Promise.resolve(OVER);
    };
    unsubscribe = subscribe((message) => {
      let seen: Promise<void> | undefined;
      if (held(message)) seen = new Promise((done) => waiting.push({ message, done }));
      else {
        waiting.push({ message, done: noop });
        if (++loose > max) {
          waiting.splice(waiting.findIndex(({ done }) => done === noop), 1);
          loose--;
          if (!told) overrun();
          told = true;
        }
      }
      const pull = pulls.shift();
      if (pull) pull(give()!);
      return seen;
    });
    if (this.#ended || signal?.aborted) end();
    else {
      this.#open.add(end);
      unhook = onAbort(signal, () => void finish());
    }
    const iterator: AsyncIterableIterator<Message> = {
      next: () => {
        inHand();
        inHand = noop;
        const given = give();
        return given ? Promise.resolve(given) : new Promise<IteratorResult<Message, undefined>>((pull) => pulls.push(pull));
      },
      return: finish,
      [Symbol.asyncIterator]: () => iterator,
      [asyncDispose]: () => finish() as Promise<unknown> as Promise<void>,
    };
    return iterator;
  }

  /** The wire has closed: what has come can still be pulled. */
  end(): void {
    this.#ended = true;
    for (const end of [...this.#open]) end();
  }
}
