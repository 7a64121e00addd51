// Who is called with a message, and when all of them are done with it.
import type { SessionEnvelope } from '../../types/exactly-once.js';
import { addHandler, type Handler, type Handlers } from '../handlers.ts';

export interface SessionHandler extends Handler<SessionEnvelope> {
  /** Messages of this room only. */
  room: string | undefined;
  /** The end of the one before, if they are to run one after the other. */
  tail: Promise<unknown> | undefined;
}

export class Deliveries {
  #handlers: Handlers<SessionHandler> = new Map();

  /** Returns what takes it away again. */
  add(type: string, handler: SessionHandler): () => void {
    return addHandler(this.#handlers, type, handler);
  }

  of(type: string): readonly SessionHandler[] {
    return this.#handlers.get(type) ?? [];
  }

  wants(type: string, receiver: unknown): boolean {
    return this.of(type).some((handler) => takes(handler, receiver));
  }

  /** Calls every handler; answers the ends of those that take their time. They never reject: `failed` is told. */
  run(message: SessionEnvelope, failed: (error: unknown) => void): Promise<unknown>[] {
    const pending: Promise<unknown>[] = [];
    for (const handler of this.of(message.type)) {
      if (!takes(handler, message.receiver)) continue;
      const call = () => handler.fn?.(message);
      try {
        const result: any = handler.tail ? handler.tail.then(call) : call();
        if (typeof result?.then !== 'function') continue;
        const ended = Promise.resolve(result).catch(failed);
        if (handler.tail) handler.tail = ended;
        pending.push(ended);
      } catch (error) {
        failed(error);
      }
    }
    return pending;
  }
}

function takes({ room }: SessionHandler, receiver: unknown): boolean {
  return room === undefined || room === receiver;
}
