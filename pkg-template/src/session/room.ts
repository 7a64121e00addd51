// A room as an application holds it.
import type { HistoryOptions, HistoryPage, SessionEnvelope, SessionReceipt, SessionSendOptions } from '../../types/exactly-once.js';
import type { MessagesOptions } from '../../types/index.js';
import { EverwireError } from '../errors.ts';

/** What a room needs of its wire. */
export interface Joined {
  send(type: string, content: unknown, options?: SessionSendOptions | null): Promise<SessionReceipt>;
  cast(type: string, content: unknown, options?: { to?: string }): boolean;
  listen(type: string, room: string | undefined, fn: (message: SessionEnvelope) => unknown, options?: { serial?: boolean } | null): () => void;
  messages(type: string, options: MessagesOptions | null | undefined, room: string): AsyncIterableIterator<SessionEnvelope>;
  history(room: string, options?: HistoryOptions | null): Promise<HistoryPage>;
  leave(room: Room): void;
}

export class Room {
  readonly name: string;
  /** Resolves when the server has let it in; rejects if it has not. Ignoring it is no unhandled rejection. */
  readonly joined: Promise<void>;
  #wire: Joined;
  #admit!: () => void;
  #deny!: (error: unknown) => void;

  constructor(wire: Joined, name: string) {
    this.#wire = wire;
    this.name = name;
    this.joined = new Promise<void>((admit, deny) => {
      this.#admit = admit;
      this.#deny = deny;
    });
    this.joined.catch(() => {});
  }

  on(type: string, fn: (message: SessionEnvelope) => unknown, options?: { serial?: boolean } | null): () => void {
    return this.#wire.listen(type, this.name, fn, options);
  }

  messages(type: string, options?: MessagesOptions | null): AsyncIterableIterator<SessionEnvelope> {
    return this.#wire.messages(type, options, this.name);
  }

  send(type: string, content: unknown, options?: SessionSendOptions | null): Promise<SessionReceipt> {
    return this.#wire.send(type, content, { ...options, to: this.name });
  }

  cast(type: string, content: unknown): boolean {
    return this.#wire.cast(type, content, { to: this.name });
  }

  history(options?: HistoryOptions | null): Promise<HistoryPage> {
    return this.#wire.history(this.name, options);
  }

  leave(): void {
    this.#wire.leave(this);
    this.deny('left');
  }

  /** The server has let it in. */
  admit(): void {
    this.#admit();
  }

  /** It has not, or no more. */
  deny(code: string): void {
    this.#deny(new EverwireError('denied', code));
  }
}
