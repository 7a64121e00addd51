// Who is called with a message, and when all of them are done with it.
import type { SessionEnvelope } from '../../types/exactly-once.js';
import { addHandler, type Handler, type Handlers } from '../handlers.ts';

export interface SessionHandler extends Handler<SessionEnvelope> {
  /** Messages of this room only. */
  room: string | undefined;
  /** The end of the one before, if they are to run one after the other. */
  tail: Promise<unknown> | undefined;
}

const NOBODY: readonly SessionHandler[] = [];

export class Deliveries {
  #handlers: Handlers<SessionHandler> = new Map();

  /** Returns what takes it away again. */
  add(type: string, handler: SessionHandler): () => void {
    return addHandler(this.#handlers, type, handler);
  }

  of(type: string): readonly SessionHandler[] {
    return this.#handlers.get(type) ?? NOBODY;
  }

  wants(type: string, receiver: unknown): boolean {
    for (const handler of this.of(type)) if (takes(handler, receiver)) return true;
    return false;
  }

  /**
   * Calls every handler; answers the ends of those that take their time, undefined if none does: most never do, and a promise a
   * message costs as much as the message. They never reject: `failed` is told.
   */
  run(message: SessionEnvelope, failed: (error: unknown) => void): Promise<unknown>[] | undefined {
    let pending: Promise<unknown>[] | undefined;
    for (const handler of this.of(message.type)) {
      if (!takes(handler, message.receiver)) continue;
      try {
        const result: any = handler.tail ? handler.tail.then(() => handler.fn?.(message)) : handler.fn?.(message);
        if (typeof result?.then !== 'function') continue;
        const ended = Promise.resolve(result).catch(failed);
        if (handler.tail) handler.tail = ended;
        (pending ??= []).push(ended);
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
