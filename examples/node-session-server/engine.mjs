// The engine of docs/PROTOCOL.md §21 in memory: one log, and what is known of each producer.
import { randomUUID } from 'node:crypto';
import { leading } from './frames.mjs';

const IN_USE_MS = 3_600_000; // [ENG-22]

export class Engine {
  epoch = randomUUID();
  head = 0;
  #log = new Map(); // s → message, in order; requests take a number and no place
  #octets = 0;
  #subjects = new Map(); // subject → messages kept, highest number discarded
  #forgotten = 0; // the highest number discarded of the subjects that are no longer in that map, [ENG-28]
  #records = new Map(); // producer → record, the least recently used first

  constructor(limits) {
    this.limits = limits; // messages, octets, producers, producersOfIdentity, anonymousProducers
  }

  /** The record, or `unknown`, `fenced` or `full`; in the order of [ENG-7] to [ENG-13]. */
  claim(producer, { identity, anonymous }, { link, oldest, written, born }) {
    let record = this.#records.get(producer);
    if (!record) {
      if (written > 0) return 'unknown';
      const place = this.#place((one) => one.identity === identity, this.limits.producersOfIdentity)
        && (!anonymous || this.#place((one) => one.anonymous, this.limits.anonymousProducers))
        && this.#place(() => true, this.limits.producers);
      if (!place) return 'full';
      record = { identity, anonymous, link: 0, born: link, mark: 0, floor: 1, refused: new Map(), inbox: [], running: 0, tokens: Infinity, filled: 0 };
    } else if (born !== null && born !== record.born) {
      return 'unknown';
    } else if (record.identity !== identity && (record.mark > 0 || written > 0)) {
      return 'unknown';
    }
    if (record.link >= link) return 'fenced';
    const known = record.mark >= oldest - 1 && record.mark <= written && oldest >= record.floor;
    record.link = link;
    record.owner?.fenced();
    if (!known) return 'unknown';
    Object.assign(record, { identity, anonymous });
    this.#records.delete(producer);
    this.#records.set(producer, record);
    this.release(record, oldest);
    return record;
  }

  /** Forgets refusals below `oldest`, and notes the use. */
  release(record, oldest) {
    record.used = Date.now();
    record.floor = Math.max(record.floor, Math.min(oldest, record.mark + 1));
    for (const n of record.refused.keys()) if (n < record.floor) record.refused.delete(n);
  }

  /** Gives the next number of the log; a request, which nobody reads, is not kept ([ENG-32]). */
  append(record, message) {
    record.mark += 1;
    message.s = this.head += 1;
    if (message.request) return;
    this.#log.set(message.s, message);
    this.#octets += message.size;
    const kept = this.#subjects.get(message.subject) ?? { messages: 0, discarded: this.#forgotten };
    kept.messages += 1;
    this.#subjects.set(message.subject, kept);
    while (this.#log.size > this.limits.messages || (this.#octets > this.limits.octets && this.#log.size > 1)) {
      this.#discard(this.#log.values().next().value);
    }
  }

  refuse(record, code) {
    record.refused.set((record.mark += 1), code);
  }

  /** Puts an answer into the inbox, which keeps the newest 512, 8 MiB of them, for an hour ([REQ-5]). */
  keep(record, n, text) {
    const answer = { n, text, size: Buffer.byteLength(text), at: Date.now() };
    const kept = [answer];
    let octets = answer.size;
    for (const one of record.inbox.toReversed()) {
      octets += one.size;
      if (kept.length === 512 || octets > 8_388_608 || answer.at - one.at > 3_600_000) break;
      kept.unshift(one);
    }
    record.inbox = kept;
    return answer;
  }

  /** Forgets what is stored of a subject so far. */
  trim(subject) {
    for (const message of this.#log.values()) if (message.subject === subject) this.#discard(message);
  }

  trimmed(subject) {
    return this.#subjects.get(subject)?.discarded ?? this.#forgotten;
  }

  /** As many of the next messages of a filter as fit into a frame, and up to where they are all there are. */
  read(filter, after, most) {
    const messages = leading(this.#after(filter, after), most);
    const next = messages.length && this.#after(filter, messages.at(-1).s).next().value;
    return { messages, upto: next ? next.s - 1 : this.head };
  }

  /** The newest messages of a subject in (since, before), and whether there are older ones. */
  page(subject, since, before, most, octets) {
    const messages = [];
    for (let s = Math.min(before - 1, this.head); s > since && s >= this.#first; s -= 1) {
      const message = this.#log.get(s);
      if (message?.subject !== subject) continue;
      octets -= message.size + 2;
      if (messages.length && (messages.length === most || octets < 0)) return { messages, older: true };
      messages.unshift(message);
    }
    return { messages, older: false };
  }

  get #first() {
    return this.#log.keys().next().value ?? this.head + 1;
  }

  *#after(filter, after) {
    for (let s = Math.max(after + 1, this.#first); s <= this.head; s += 1) {
      const message = this.#log.get(s);
      if (message && filter.get(message.subject) < s) yield message;
    }
  }

  #discard({ s, size, subject }) {
    const kept = this.#subjects.get(subject);
    this.#log.delete(s);
    this.#octets -= size;
    kept.discarded = s;
    kept.messages -= 1;
    if (kept.messages || this.#subjects.size < this.limits.messages) return;
    this.#subjects.delete(subject);
    this.#forgotten = Math.max(this.#forgotten, s);
  }

  /** Room for one more record under a cap: the least recently used goes, but none that is in use, [ENG-22]. */
  #place(under, cap) {
    const those = [...this.#records].filter(([, record]) => under(record));
    if (those.length < cap) return true;
    const [producer, record] = those[0];
    return Date.now() - record.used > IN_USE_MS && this.#records.delete(producer);
  }
}
