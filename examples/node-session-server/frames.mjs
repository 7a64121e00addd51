// The grammar of docs/PROTOCOL.md §3, and JSON as far as parsers disagree about it.
import { isUtf8 } from 'node:buffer';

export const HIGHEST = Number.MAX_SAFE_INTEGER;
export const BATCH = 65_536; // [LIM-4]
export const HELLO = 262_144; // [LIM-6]
export const SMALL = 16_384; // [LIVE-13]

/** Ends a link: the close code, and the clause for its reason. */
export class Fault extends Error {
  constructor(code, clause) {
    super(clause);
    this.code = code;
  }
}

export function must(holds, clause, code = 4002) {
  if (!holds) throw new Fault(code, clause);
}

const VERBS = {
  hello: { body: true }, auth: { body: true }, cast: { body: true, binary: true },
  send: { args: [number, count, number], body: true, binary: true },
  seen: { args: [number, number, number] }, page: { args: [number, room, number, count] },
  join: { args: [room] }, leave: { args: [room] }, vis: { args: [flag] },
  ping: { args: [number] }, pong: { args: [number] }, more: { args: [number] }, bye: { args: [number] },
};

/** A frame of a client: its verb, its arguments, and the octets of its body. */
export function parse(data, binary) {
  const lf = data.indexOf(10);
  const line = data.latin1Slice(0, lf < 0 ? data.length : lf);
  must(line.length <= 32_768, 'LIM-1');
  const [verb, ...words] = line.split(' ');
  must(Object.hasOwn(VERBS, verb), 'ERR-3');
  const shape = VERBS[verb];
  const readers = shape.args ?? [];
  must(!binary || shape.binary, 'ERR-3');
  must(words.length === readers.length, 'FRM-1');
  must(shape.body ? lf >= 0 : lf < 0, 'FRM-2');
  return { verb, args: words.map((word, i) => readers[i](word)), body: data.subarray(lf + 1) };
}

function number(word) {
  must(/^(0|[1-9]\d{0,15})$/.test(word) && Number(word) <= HIGHEST, 'ERR-2');
  return Number(word);
}

function count(word) {
  must(number(word) <= 1_024, 'LIM-5');
  return Number(word);
}

function flag(word) {
  must(word === '0' || word === '1', 'FRM-1');
  return word === '1';
}

/** `spelled` for the answer; `subject` is null where the spelling is right and no subject comes of it, [FRM-11]. */
function room(spelled) {
  must(/^([\w.~-]|%[\dA-F]{2}){1,384}$/.test(spelled) && spelled.length <= 384, 'FRM-10');
  must(!/%(2[DE]|5F|7E|3\d|[46][1-9A-F]|[57][\dA])/.test(spelled), 'FRM-10');
  try {
    const subject = decodeURIComponent(spelled);
    return { spelled, subject: isSubject(subject) ? subject : null };
  } catch {
    return { spelled, subject: null };
  }
}

export function spell(subject) {
  return encodeURIComponent(subject).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

export function isSubject(text) {
  return text.length > 0 && Buffer.byteLength(text) <= 128 && text.isWellFormed() && !/[\0-\x1f\x7f-\x9f]/.test(text);
}

function json(octets) {
  must(isUtf8(octets), 'ERR-6');
  const text = octets.toString();
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    throw new Fault(4002, 'ERR-6');
  }
}

/** The elements of a body, surveyed, with what they are and how long; a binary frame has one, with its content. */
export function elements(body, binary) {
  if (!binary) {
    const { text, value } = json(body);
    must(Array.isArray(value), 'ERR-6');
    return survey(text).map((element, i) => ({ ...element, value: value[i], length: Buffer.byteLength(element.text) }));
  }
  const lf = body.indexOf(10);
  must(lf >= 0, 'ERR-6');
  const { text, value } = json(body.subarray(0, lf));
  return [{ ...survey(`[${text}]`)[0], value, length: body.length, octets: body.subarray(lf + 1) }];
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]|[^\s"[\]{},:]+/g;

/**
 * Surveys the elements of an array that JSON.parse has accepted: where each begins and ends, where the members of an
 * object among them have their values, whether a name is repeated, and what some parsers would trip over ([REF-6]).
 */
function survey(array) {
  const elements = [];
  const open = [];
  let element;
  for (const { 0: token, index } of array.matchAll(TOKEN)) {
    const top = open.at(-1);
    const end = index + token.length;
    if (token === ':') continue;
    if (token === ',') {
      top.name = null;
    } else if (top?.names && top.name === null && token !== '}') {
      top.name = JSON.parse(token);
      element.repeats ||= top.names.has(top.name);
      element.flaw ||= !top.name.isWellFormed();
      top.names.add(top.name);
    } else {
      if (token === ']' || token === '}') {
        open.pop();
      } else {
        if (open.length === 1) elements.push((element = { start: index, members: new Map(), repeats: false, flaw: false }));
        if (open.length === 2) top.start = index;
        if (token === '[' || token === '{') {
          open.push({ names: token === '{' ? new Set() : null, name: null });
          if (open.length > 65) element.flaw = true; // [LIM-16]: the array, and 64 levels
          continue;
        }
        element.flaw ||= token[0] === '"' ? !JSON.parse(token).isWellFormed() : !'tfn'.includes(token[0]) && !isFinite(token);
      }
      if (open.length === 1) element.text = array.slice(element.start, end);
      if (open.length === 2 && open[1].names) element.members.set(open[1].name, [open[1].start - element.start, end - element.start]);
    }
  }
  return elements;
}

/** Writes members into a surveyed object and leaves every other octet as it is, [SEND-19]. */
export function stamp({ text, members }, fields) {
  const last = text.lastIndexOf('}');
  const cuts = Object.entries(fields).map(([name, value]) => {
    const written = JSON.stringify(value);
    return members.has(name) ? [...members.get(name), written] : [last, last, `,"${name}":${written}`];
  });
  let stamped = '';
  let done = 0;
  for (const [start, end, written] of cuts.sort((a, b) => a[0] - b[0])) {
    stamped += text.slice(done, start) + written;
    done = end;
  }
  return stamped + text.slice(done);
}

/** The leading messages that share a frame: texts up to [LIM-4], or one binary message. */
export function leading(messages, most) {
  const batch = [];
  let octets = 1;
  for (const message of messages) {
    octets += message.size + 1;
    if (batch.length && (batch.length === most || message.octets || batch[0].octets || octets > BATCH)) break;
    batch.push(message);
  }
  return batch;
}

/** A header and the messages behind it. A message is text (`text`) or binary (`octets`). */
export function frame(header, messages) {
  if (messages[0]?.octets) return Buffer.concat([Buffer.from(`${header}\n`), messages[0].octets]);
  return `${header}\n[${messages.map((message) => message.text).join(',')}]`;
}

const isInteger = (value, low, high = HIGHEST) => Number.isInteger(value) && value >= low && value <= high;
const isText = (value, form) => typeof value === 'string' && form.test(value);
const isProducer = (value) => isText(value, /^[\da-f]{32}$/);
export const isToken = (value) => isText(value, /^[!-~]{1,16384}$/);
const isRoom = ({ room, from, grant }, fresh) =>
  typeof room === 'string' && room.isWellFormed() && spell(room).length <= 384 &&
  (from === null || (!fresh && isInteger(from, 0))) && (grant === undefined || isText(grant, /^[\w.~-]{1,128}$/));

/** The object of an `auth` or `hello`: `early` is looked at before anything else, then no name may stand in it twice. */
export function object(body, early = () => {}) {
  const { text, value } = json(body);
  must(value !== null && typeof value === 'object' && !Array.isArray(value), 'ERR-6');
  early(value);
  must(!survey(`[${text}]`)[0].repeats, 'FRM-12');
  return value;
}

export function readHello(body) {
  const hello = object(body, ({ version }) => {
    must(typeof version === 'number', 'ERR-6');
    must(version === 1, 'ERR-10', 4500);
  });
  const { token, producer, successor, link, oldest, written, born, logEpoch, position, rooms, pending, held, visible, features } = hello;
  const fresh = logEpoch === null;
  must(token === null || isToken(token), 'LIM-15');
  must(isProducer(producer) && isInteger(link, 1) && isInteger(written, 0, HIGHEST - 1) && isInteger(oldest, 1, written + 1), 'ERR-11');
  must(written ? isProducer(successor) && successor !== producer && isInteger(born, 1, link - 1) : successor === null && born === null, 'ERR-11');
  must(fresh ? position === null && written === 0 : isText(logEpoch, /^[\w.~-]{1,64}$/) && isInteger(position, 0), 'HELLO-7');
  must(Array.isArray(rooms) && rooms.length <= 257 && rooms.every((one) => one && isRoom(one, fresh)), 'ERR-11');
  must(new Set(rooms.map(({ room }) => room)).size === rooms.length, 'ERR-11');
  must(Array.isArray(pending) && pending.length <= 256 && pending.every((n, i) => isInteger(n, (pending[i - 1] ?? 0) + 1, written)), 'ERR-11');
  must(Array.isArray(held) && held.length === 2 && isInteger(held[0], 0, 8_192) && isInteger(held[1], 0, 1_310_719), 'ERR-11');
  must(typeof visible === 'boolean', 'ERR-11');
  must(Array.isArray(features) && features.length <= 32 && features.every((one) => isText(one, /^[\da-z-]{1,32}$/)), 'LIM-18');
  return hello;
}
