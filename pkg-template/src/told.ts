// A promise and its two ends, without a word where nobody listens.
import { noop } from './events.ts';

export interface Told<Value> {
  promise: Promise<Value>;
  resolve(value: Value): void;
  reject(error: unknown): void;
}

export function told<Value>(): Told<Value> {
  const ends = {} as Told<Value>;
  ends.promise = new Promise((resolve, reject) => {
    ends.resolve = resolve;
    ends.reject = reject;
  });
  return ends;
}

/**
 * Whoever ignores the promise is not to meet an unhandled rejection. Listened to now and not when it is made: most resolve,
 * and a listener costs as much as the promise.
 */
export function deny({ promise, reject }: Told<any>, error: unknown): void {
  promise.catch(noop);
  reject(error);
}
