// What became of every message of one direction: the sender's view of it, and the far end's, joined by id.

/** Older ones are folded into the totals. */
const MAX_RECORDS = 5000;

export class Ledger {
  #records = new Map();
  #folded = zero();
  #number = 0;
  #newestArrived = 0;
  #again = 0;
  #disorder = 0;

  /** A new message, not yet anywhere. */
  add(text) {
    const record = { id: crypto.randomUUID(), number: ++this.#number, text, status: 'waiting', note: '', arrivals: 0, resent: false };
    this.#records.set(record.id, record);
    if (this.#records.size > MAX_RECORDS) {
      const [oldest] = this.#records.values();
      this.#records.delete(oldest.id);
      this.#folded[classify(oldest)]++;
    }
    return record;
  }

  find(id) {
    return this.#records.get(id);
  }

  /** The far end's handler got it. */
  arrived(id) {
    const record = this.#records.get(id);
    if (!record) return;
    if (++record.arrivals > 1) this.#again++;
    // What the user sent again by hand is late on purpose.
    else if (!record.resent && record.number < this.#newestArrived) this.#disorder++;
    if (!record.resent) this.#newestArrived = Math.max(this.#newestArrived, record.number);
  }

  /** Every message is in exactly one of the first seven; the last two count arrivals that should not have been. */
  counts() {
    const counts = { ...this.#folded };
    for (const record of this.#records.values()) counts[classify(record)]++;
    return { sent: this.#number, ...counts, again: this.#again, disorder: this.#disorder };
  }
}

function zero() {
  return { arrived: 0, waiting: 0, underway: 0, doubtArrived: 0, doubt: 0, unsent: 0, missed: 0 };
}

function classify({ status, arrivals }) {
  if (status === 'in-doubt') return arrivals > 0 ? 'doubtArrived' : 'doubt';
  if (arrivals > 0) return 'arrived';
  return { waiting: 'waiting', written: 'underway', settled: 'missed', unsent: 'unsent' }[status];
}
