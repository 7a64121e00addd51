// The engine of docs/PROTOCOL.md §21 in memory: one log, and what is known of each producer.
import { randomUUID } from 'node:crypto';
import { must } from './frames.mjs';

const isAnonymous = (identity) => identity.startsWith('anon_');
// The caps of [LIM-19]: how many records, and which.
const CAPS = [[1_000, (one, of) => one === of], [50_000, (...both) => both.every(isAnonymous)], [100_000, () => true]];

/** Leaves the newest of a list: so many, so many octets together, and always one. */
export function newest(list, most, octets) {
  const all = () => list.reduce((sum, { size }) => sum + size + 2, 0);
  while (list.length > most || (list.length > 1 && all() > octets)) list.shift();
  return list;
}

export class Engine {
  epoch = randomUUID(); // dies with the process, [ENG-2]
  head = 0;
  floor = 0; // everything up to here has been discarded, of every subject ([ENG-28])
  octets = 0;
  log = new Map(); // s → message; requests take a number and no place ([ENG-32])
  records = new Map(); // by producer

  /** The record, or null where it is unknown. */
  claim({ producer, link, oldest, written, born }, identity, owner) {
    let record = this.records.get(producer);
    if (record ? born !== null && born !== record.born : written > 0) return null; // [ENG-7]
    must(record || this.hasPlace(identity), 'ENG-8', 1013);
    record ??= { identity, link: 0, born: link, mark: 0, floor: 1, refused: new Map(), running: new Set(), inbox: [] };
    if (record.identity !== identity && (record.mark > 0 || written > 0)) return null; // [ENG-9]
    must(record.link < link, 'ENG-10', 4005);
    record.link = link; record.owner?.end(4005, 'ENG-6');
    if (oldest < record.floor || oldest - 1 > record.mark || written < record.mark) return null; // [ENG-11]
    this.records.set(producer, Object.assign(record, { identity, owner }));
    this.release(record, oldest);
    return record;
  }

  /** Makes place for one more record: the least recently used goes, but none of the last hour ([ENG-22]). */
  hasPlace(identity) {
    return CAPS.every(([cap, isUnder]) => {
      const those = [...this.records].filter(([, record]) => isUnder(record.identity, identity));
      const [idle] = those.filter(([, { used }]) => Date.now() - used > 3_600_000)
        .sort(([, a], [, b]) => isAnonymous(b.identity) - isAnonymous(a.identity) || a.used - b.used);
      return those.length < cap || (idle && this.records.delete(idle[0]));
    });
  }

  release(record, oldest) {
    record.used = Date.now();
    record.floor = Math.max(record.floor, Math.min(oldest, record.mark + 1)); // [ENG-15]
    for (const n of record.refused.keys()) if (n < record.floor) record.refused.delete(n);
  }

  append(record, message) {
    record.mark += 1; this.head += 1;
    if (message) this.log.set(this.head, Object.assign(message, { s: this.head }));
    this.octets += message?.size ?? 0;
    while (this.log.size > 100_000 || (this.log.size > 1 && this.octets > 67_108_864)) this.discard(this.floor + 1);
  }

  discard(upto) {
    for (; this.floor < upto; this.log.delete(this.floor)) this.octets -= this.log.get((this.floor += 1))?.size ?? 0;
  }

  /** The messages of a filter, in order. */
  *after(filter, s) {
    for (s = Math.max(s, this.floor) + 1; s <= this.head; s += 1) {
      const message = this.log.get(s);
      if (filter.get(message?.subject) < s) yield message;
    }
  }
}
