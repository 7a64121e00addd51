// The messages that have not left, by the ticket under which the core knows them.
import type { SessionEnvelope, SessionReceipt } from '../../types/exactly-once.js';
import type { Frame } from '../envelope.ts';
import { noop } from '../events.ts';
import { Keys } from '../keys.ts';
import { ticketSource } from '../tickets.ts';

/** What the promise of a request is told. */
export interface Answer {
  resolve(reply: SessionEnvelope): void;
  reject(error: unknown): void;
}

/** A message on its way. The octets are all that is kept of the content: whoever needs it parses it again. */
export interface Kept {
  id: string;
  type: string;
  octets: Frame;
  bytes: number;
  numbered: boolean;
  key: string | undefined;
  promise: Promise<SessionReceipt> | undefined;
  resolve(receipt: SessionReceipt): void;
  reject(error: unknown): void;
  unhook(): void;
  answer: Answer | undefined;
}

/** The promise is told, and that of the answer if one is waited for. Whoever looks at neither has no unhandled rejection. */
export function rejectKept(kept: Kept, error: unknown): void {
  kept.promise?.catch(noop);
  kept.reject(error);
  kept.answer?.reject(error);
}

/** Ids of settled messages that are kept to be able to say which receipts are no longer backed. [EPOCH-4] */
const SETTLED_IDS_MAX = 1024;

export class Outbox {
  /** How many have no number yet, and their bytes. */
  queued = 0;
  queuedBytes = 0;
  #kept = new Map<number, Kept>();
  /** Of requests that are stored and not answered. */
  #answers = new Map<number, Answer>();
  /**
   * A ring of the newest, and the tickets of the same places; a map would look for its oldest key among the holes that the others
   * have left.
   */
  #settledIds: string[] = [];
  #settledTickets: number[] = [];
  #settledNext = 0;
  #keys = new Keys();
  nextTicket = ticketSource((ticket) => this.#kept.has(ticket) || this.#answers.has(ticket));

  /** Before the core hears of it: it may ask for the octets within the same call. Answers the number of its key. */
  keep(ticket: number, kept: Kept): number {
    this.#kept.set(ticket, kept);
    this.queued++;
    this.queuedBytes += kept.bytes;
    return this.#keys.use(kept.key);
  }

  get(ticket: number): Kept | undefined {
    return this.#kept.get(ticket);
  }

  tickets(): number[] {
    return [...this.#kept.keys()];
  }

  /** How many have a number, and wait for their answer. */
  get unsettled(): number {
    return this.#kept.size - this.queued;
  }

  /** It has its number, and is no longer in the queue. False if that was known. */
  number(kept: Kept): boolean {
    if (kept.numbered) return false;
    kept.numbered = true;
    this.#keys.free(kept.key);
    this.queued--;
    this.queuedBytes -= kept.bytes;
    return true;
  }

  forget(ticket: number): Kept | undefined {
    const kept = this.#kept.get(ticket);
    this.#kept.delete(ticket);
    kept?.unhook();
    if (kept) this.number(kept);
    return kept;
  }

  /** The server has it. */
  settle(ticket: number): Kept | undefined {
    const kept = this.forget(ticket);
    if (!kept) return undefined;
    if (kept.answer) this.#answers.set(ticket, kept.answer);
    this.#settledIds[this.#settledNext] = kept.id;
    this.#settledTickets[this.#settledNext] = ticket;
    this.#settledNext = (this.#settledNext + 1) % SETTLED_IDS_MAX;
    return kept;
  }

  /** The ids of those among these that were settled lately. */
  settledIds(tickets: Iterable<number>): string[] {
    const ids = new Map(this.#settledTickets.map((ticket, at) => [ticket, this.#settledIds[at]!]));
    return Array.from(tickets, (ticket) => ids.get(ticket)).filter((id) => id !== undefined);
  }

  /** Who waits for the answer to a request; nobody any more. */
  takeAnswer(ticket: number): Answer | undefined {
    const kept = this.#kept.get(ticket);
    const answer = kept?.answer ?? this.#answers.get(ticket);
    this.#answers.delete(ticket);
    if (kept) kept.answer = undefined;
    return answer;
  }

  takeAnswers(): Answer[] {
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    return answers;
  }
}
