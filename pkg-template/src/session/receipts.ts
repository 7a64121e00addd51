// Read and delivered receipts: ordinary messages of type `receipt`. [SEND-26]
import type { SessionEnvelope } from '../../types/exactly-once.js';

export type ReceiptState = 'read' | 'delivered';

/** Each state of a message is sent once in the life of a page. So many are remembered. */
const RECEIPTS_MAX = 8192;

export class Receipts {
  #sent = new Set<string>();

  /** The content of the receipt that is due to the sender of a message, once; undefined if none is. */
  due(message: SessionEnvelope, state: ReceiptState, own: string | undefined): { logEpoch: string; s: number; id: string; state: ReceiptState } | undefined {
    const { id, sender, type, logEpoch, s } = message;
    const name = `${logEpoch} ${s} ${state}`;
    if (
      typeof id !== 'string' || typeof sender !== 'string' || typeof logEpoch !== 'string' || typeof s !== 'number' || type === 'receipt' ||
      sender === own || sender.startsWith('_') || this.#sent.has(name)
    ) return undefined;
    if (this.#sent.size >= RECEIPTS_MAX) this.#sent.delete(this.#sent.values().next().value!);
    this.#sent.add(name);
    return { logEpoch, s, id, state };
  }
}

/** What a receipt says. Anybody can write one, so it may be anything. */
export function readReceipt(content: unknown): { state: ReceiptState; id: string; logEpoch: any; s: any } | undefined {
  const { id, state, logEpoch, s } = (content ?? {}) as Record<string, unknown>;
  return typeof id === 'string' && (state === 'read' || state === 'delivered') ? { state, id, logEpoch, s } : undefined;
}
