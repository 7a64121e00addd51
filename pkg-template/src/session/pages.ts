// Pages of history that are asked for, by the number under which the core knows them.
import type { HistoryPage, SessionEnvelope } from '../../types/exactly-once.js';
import { EverwireError } from '../errors.ts';
import { noop } from '../events.ts';
import * as codes from './codes.ts';
import { isMessage } from './inbound.ts';

export interface Paging {
  messages: SessionEnvelope[];
  resolve(page: HistoryPage): void;
  reject(error: unknown): void;
  unhook(): void;
}

/** Marks of a part of a page, as the core numbers them. */
const MORE = 0, CUT = 1;

export class Pages {
  #asked = new Map<number, Paging>();
  #last = 0;

  /** A page under a number of its own. */
  open(resolve: Paging['resolve'], reject: Paging['reject']): [number, Paging] {
    const paging: Paging = { messages: [], resolve, reject, unhook: noop };
    this.#asked.set(++this.#last, paging);
    return [this.#last, paging];
  }

  has(page: number): boolean {
    return this.#asked.has(page);
  }

  /** A part of it has come. */
  paged(page: number, mark: number, elements: unknown[], numbers: Float64Array, logEpoch: string): void {
    const paging = this.#asked.get(page);
    if (!paging) return;
    elements.forEach((element, at) => {
      if (isMessage(element)) paging.messages.push({ ...element, logEpoch, s: numbers[at]! } as unknown as SessionEnvelope);
    });
    if (mark === MORE) return;
    this.#forget(page);
    const [first] = paging.messages;
    paging.resolve({ messages: paging.messages, older: mark === CUT && first ? { logEpoch, s: first.s! } : null });
  }

  /** It will not come. */
  failed(page: number, why: number, code: string): void {
    const name = codes.pageFailure[why]!;
    this.fail(page, new EverwireError(name === 'closed' ? 'aborted' : name, code || undefined));
  }

  fail(page: number, error: unknown): void {
    this.#forget(page)?.reject(error);
  }

  failAll(error: unknown): void {
    for (const page of [...this.#asked.keys()]) this.fail(page, error);
  }

  #forget(page: number): Paging | undefined {
    const paging = this.#asked.get(page);
    this.#asked.delete(page);
    paging?.unhook();
    return paging;
  }
}
