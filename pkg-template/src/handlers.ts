// Who is called with messages of which type.
import { fail } from './options.ts';

/** `fn` goes when the handler is taken away: a list that is being iterated over still holds it. */
export interface Handler<Message> {
  fn: ((message: Message) => unknown) | undefined;
}

/** Lists are replaced, never changed: one that is being iterated over stays as it is. */
export type Handlers<One> = Map<string, readonly One[]>;

/** Returns what takes it away again. */
export function addHandler<One extends Handler<any>>(handlers: Handlers<One>, type: string, handler: One): () => void {
  if (typeof handler.fn !== 'function') fail('handler', 'a function', handler.fn);
  handlers.set(type, [...(handlers.get(type) ?? []), handler]);
  return () => {
    handler.fn = undefined;
    const rest = handlers.get(type)?.filter((other) => other !== handler);
    if (rest?.length) handlers.set(type, rest);
    else handlers.delete(type);
  };
}
