// What became of every message of one direction: the sender's view of it, and the far end's, joined by sender and number.

/** Older ones are folded into the totals. */
const MAX_RECORDS = 20_000;
/** A message that the server has stored and that a receiver who is there all this time has not got: it will not come any more. */
const LATE_MS = 30_000;

export class Ledger {
  #records = new Map();
  #folded = zero();
  #delivery;
  #sender;
  #first;
  #number;
  #newestArrived = 0;
  #again = 0;
  #disorder = 0;

  /** For messages of `sender` from number `first` on, delivered as `delivery`. */
  constructor({ delivery, sender, first = 1 }) {
    this.#delivery = delivery;
    this.#sender = sender;
    this.#first = first;
    this.#number = first - 1;
  }

  /** The number of the message to come. */
  get next() {
    return this.#number + 1;
  }

  /** A new message, not yet anywhere. */
  add(text) {
    const number = ++this.#number;
    const record = { id: `${this.#sender}:${number}`, number, text, status: 'waiting', since: performance.now(), note: '', arrivals: 0, resent: false };
    this.#records.set(record.id, record);
    if (this.#records.size > MAX_RECORDS) {
      const [oldest] = this.#records.values();
      this.#records.delete(oldest.id);
      this.#count(oldest, this.#folded, null);
    }
    return record;
  }

  find(id) {
    return this.#records.get(id);
  }

  /** What the sender knows about it now. */
  mark(record, status, note = '') {
    Object.assign(record, { status, note, since: performance.now() });
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

  /**
   * Every message is in exactly one of the fates; stored, received and lost are sums across them, `again` and `disorder` count
   * arrivals that should not have been. `presentSince`: since when the receiver is there, or null.
   */
  counts(presentSince) {
    const counts = { ...this.#folded };
    for (const record of this.#records.values()) this.#count(record, counts, presentSince);
    // Best effort has no other word for what is gone than "in doubt". In exactly once that is said of a closed wire only.
    const lost = this.#delivery === 'best-effort' ? counts.doubt + counts.missed : counts.missed;
    return { sent: this.#number - this.#first + 1, ...counts, lost, again: this.#again, disorder: this.#disorder };
  }

  #count(record, counts, presentSince) {
    const classify = this.#delivery === 'best-effort' ? classifyWritten : classifyStored;
    counts[classify(record, this.#newestArrived, presentSince)]++;
    if (record.status === 'stored') counts.stored++;
    if (record.arrivals > 0) counts.received++;
  }
}

function zero() {
  return { stored: 0, received: 0, arrived: 0, waiting: 0, underway: 0, doubtArrived: 0, doubt: 0, unsent: 0, missed: 0 };
}

/** Best effort: the sender learns that it was written, and whether the link lived on. */
function classifyWritten({ status, arrivals }) {
  if (status === 'in-doubt') return arrivals > 0 ? 'doubtArrived' : 'doubt';
  if (arrivals > 0) return 'arrived';
  return { waiting: 'waiting', written: 'underway', settled: 'missed', unsent: 'unsent' }[status];
}

/** Exactly once: the server has it, and then the far end must get it, before any later one. */
function classifyStored({ status, number, since, arrivals }, newestArrived, presentSince) {
  if (status === 'in-doubt') return arrivals > 0 ? 'doubtArrived' : 'doubt';
  if (status !== 'stored') return status; // 'waiting', until the receipt is there, and 'unsent'
  if (arrivals > 0) return 'arrived';
  const late = presentSince !== null && performance.now() - Math.max(since, presentSince) > LATE_MS;
  return number < newestArrived || late ? 'missed' : 'underway';
}
