// The engine of docs/PROTOCOL.md §21 in memory: one log, and what is known of each producer.
import { randomUUID } from 'node:crypto';

const MESSAGES = 100_000, OCTETS = 67_108_864; // of the log
const INBOX = 512, INBOX_OCTETS = 8_388_608; // [REQ-5]
const IN_USE_MS = 3_600_000; // [ENG-22]
const isAnonymous = (identity) => identity.startsWith('anon_');

export class Engine {
  epoch = randomUUID(); // dies with the process, [ENG-2]
  head = 0;
  floor = 0; // everything up to here has been discarded, of every subject ([ENG-28])
  octets = 0;
  log = new Map(); // s → message; requests take a number and no place ([ENG-32])
  records = new Map(); // by producer

  /** The record, or `unknown`, `fenced` or `full`; in the order of [ENG-13]. */
  claim({ producer, link, oldest, written, born }, identity, owner) {
    let record = this.records.get(producer);
    if (record ? born !== null && born !== record.born : written > 0) return 'unknown'; // [ENG-7]
    if (!record && !this.place(identity)) return 'full';
    record ??= { identity, link: 0, born: link, mark: 0, floor: 1, refused: new Map(), running: new Set(), inbox: [] };
    if (record.identity !== identity && (record.mark > 0 || written > 0)) return 'unknown'; // [ENG-9]
    if (record.link >= link) return 'fenced';
    record.link = link;
    record.owner?.end(4005, 'a higher link of this producer');
    if (oldest < record.floor || oldest - 1 > record.mark || written < record.mark) return 'unknown'; // [ENG-11]
    this.records.set(producer, Object.assign(record, { identity, owner }));
    this.release(record, oldest);
    return record;
  }

  /** Room for one more record under each cap of [LIM-19]: the least recently used goes, none that is in use. */
  place(identity) {
    const caps = [[1_000, (one) => one === identity], [50_000, (one) => isAnonymous(identity) && isAnonymous(one)],
      [100_000, () => true]];
    return caps.every(([cap, under]) => {
      const those = [...this.records].filter(([, record]) => under(record.identity));
      const idle = those.filter(([, { used }]) => Date.now() - used > IN_USE_MS);
      idle.sort(([, a], [, b]) => isAnonymous(b.identity) - isAnonymous(a.identity) || a.used - b.used);
      return those.length < cap || (idle.length > 0 && this.records.delete(idle[0][0]));
    });
  }

  release(record, oldest) {
    record.used = Date.now();
    record.floor = Math.max(record.floor, Math.min(oldest, record.mark + 1)); // [ENG-15]
    for (const n of record.refused.keys()) if (n < record.floor) record.refused.delete(n);
  }

  append(record, message) {
    record.mark += 1;
    this.head += 1;
    if (!message) return; // a request
    this.log.set(this.head, Object.assign(message, { s: this.head }));
    this.octets += message.size;
    while (this.log.size > MESSAGES || (this.log.size > 1 && this.octets > OCTETS)) this.discard(this.floor + 1);
  }

  discard(upto) {
    for (; this.floor < upto; this.log.delete(this.floor)) this.octets -= this.log.get((this.floor += 1))?.size ?? 0;
  }

  /** Forgets what is stored of a subject, and what is older. */
  trim(subject) {
    this.discard([...this.log.values()].findLast((message) => message.subject === subject)?.s ?? 0);
  }

  keep({ inbox }, answer) {
    inbox.push(answer);
    const octets = () => inbox.reduce((sum, { size }) => sum + size, 0);
    while (inbox.length > INBOX || (inbox.length > 1 && octets() > INBOX_OCTETS)) inbox.shift();
    return answer;
  }

  /** The messages of a filter, in order. */
  *after(filter, s) {
    for (s = Math.max(s, this.floor) + 1; s <= this.head; s += 1) {
      const message = this.log.get(s);
      if (filter.get(message?.subject) < s) yield message;
    }
  }

  /** The newest messages of a subject in (since, before), as far as [PAGE-4] goes, and whether there are older ones. */
  page(subject, since, before, most) {
    const messages = [];
    let octets = 0;
    for (let s = Math.min(before - 1, this.head); s > Math.max(since, this.floor); s -= 1) {
      const message = this.log.get(s);
      if (message?.subject !== subject) continue;
      octets += message.size + 2;
      if (messages.length && (messages.length === most || octets > 1_048_576)) return { messages, older: true };
      messages.unshift(message);
    }
    return { messages, older: false };
  }
}
