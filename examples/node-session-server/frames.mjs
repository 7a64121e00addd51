// The grammar of docs/PROTOCOL.md §3, the table of `hello` (§5), and JSON as far as parsers disagree about it.
import { isUtf8 } from 'node:buffer';
import { unescape } from 'node:querystring';

const MAX = Number.MAX_SAFE_INTEGER, N = '(0|[1-9]\\d{0,15})';
const ROOM = '((?!\\S{385})(?:[\\w.~-]|%(?!2[DE]|3\\d|[46][1-9A-F]|[57][\\dA]|5F|7E)[\\dA-F]{2})+)'; // [FRM-10]
// A verb with a body has the LF, one without has none ([FRM-2]). What matches cannot be longer than [LIM-1].
const VERBS = new Map(['hello\n', 'auth\n', 'cast\n', `send ${N} ${N} ${N}\n`, `seen ${N} ${N} ${N}`, `join ${ROOM}`,
  `leave ${ROOM}`, `page ${N} ${ROOM} ${N} ${N}`, 'vis [01]', `ping ${N}`, `pong ${N}`, `more ${N}`, `bye ${N}`,
].map((form) => [form.match(/\w+/)[0], new RegExp(`^${form}$`)]));

/** Where a rule does not hold the link ends: with a close code, and the clause for its reason. */
export function must(holds, clause, closes = 4002) {
  if (!holds) throw Object.assign(new Error(clause), { closes });
}

/** A frame of a client: its verb, its arguments, and the octets of its body. */
export function parse(data, binary) {
  const end = data.indexOf(10) + 1 || data.length, line = data.latin1Slice(0, end), [verb] = line.match(/^\w*/);
  const words = VERBS.get(verb)?.exec(line);
  must(words && (!binary || /^(send \d+ 1 \d+|cast)\n/.test(line)), 'FRM-1');
  const args = words.slice(1).map((word, i) => (i === { join: 0, leave: 0, page: 1 }[verb] ? word : Number(word)));
  must(args.every((arg) => typeof arg === 'string' || arg <= MAX), 'NUM-1');
  return { verb, args, body: data.subarray(end) };
}

const hex = (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
export const spell = (subject) => encodeURIComponent(subject).replace(/[!'()*]/g, hex);
export const subjectOf = (room) => (spell(unescape(room)) === room ? unescape(room) : ''); // '' is none, [FRM-11]
export const isSubject = (text) =>
  /^[^\0-\x1f\x7f-\x9f]+$/.test(text) && text.isWellFormed() && Buffer.byteLength(text) <= 128;

const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[[\]{},]|[^\s"[\]{},:]+/g;
const json = (octets) => JSON.parse(isUtf8(octets) ? octets : ''); // a SyntaxError is [ERR-6]

/** The parts of an array or object that JSON.parse has accepted, and what other parsers would trip over ([REF-6]). */
function survey(text) {
  const parts = [], open = []; // the names of each array and object that is open
  let start = text.search(/[[{]/) + 1, repeats = false, flawed = false;
  for (const { 0: token, 1: string, 2: colon, index } of text.matchAll(TOKEN)) {
    const word = string ? JSON.parse(string) : token, depth = open.length;
    if (string ? !word.isWellFormed() : /\d/.test(token) && !isFinite(token)) flawed = true;
    if (colon && open.at(-1).size === open.at(-1).add(word).size) repeats = true;
    if (/^[[{]/.test(token) && open.push(new Set()) > 64) flawed = true; // [LIM-16]
    if (/^[\]}]/.test(token)) open.pop();
    if (depth !== 1 || !/^[\]},]/.test(token)) continue;
    parts.push(text.slice(start, index).trim()); start = index + 1;
  }
  return { parts: parts.filter(Boolean), repeats, flawed };
}

/** The object of a `hello` (which is of this version before it is anything else) or `auth`. */
export function object(body, version) {
  const value = Object(json(body));
  must(!version || value.version === version, 'ERR-10', typeof value.version === 'number' ? 4500 : 4002);
  must(!survey(`${body}`).repeats, 'FRM-12');
  return value;
}

/** The elements of a body, and how long they are; a binary frame has one, with its content. */
export function elements(body, binary) {
  const line = binary ? body.subarray(0, Math.max(0, body.indexOf(10))) : body, value = json(line);
  if (binary) return [{ text: `${line}`, value, length: body.length, content: body.subarray(line.length + 1) }];
  must(Array.isArray(value) && (value.length < 2 || body.length <= 65_536), 'LIM-4');
  return survey(`${line}`).parts.map((text, i) => ({ text, value: value[i], length: Buffer.byteLength(text) }));
}

/** An envelope with some members anew and the text of all others as it is ([SEND-19]); null if it is malformed. */
export function restamp({ text, value, content }, members) {
  if (typeof value?.type !== 'string' || (content && Object.hasOwn(value, 'content'))) return null;
  const { parts, repeats, flawed } = survey(text);
  const others = parts.filter((part) => !Object.hasOwn(members, JSON.parse(part.matchAll(TOKEN).next().value[1])));
  return repeats || flawed ? null : `{${[...others, JSON.stringify(members).slice(1, -1)].join(',')}}`;
}

/** A frame with one message, of text or of octets: nobody is obliged to put several into one. */
export const frame = (header, body) =>
  (Buffer.isBuffer(body) ? Buffer.concat([Buffer.from(`${header}\n`), body]) : `${header}\n[${body}]`);

const isInteger = (value, low, high = MAX) => Number.isInteger(value) && value >= low && value <= high;
const isText = (value, form) => typeof value === 'string' && form.test(value);
const isList = (value, most, holds) => Array.isArray(value) && value.length <= most && value.every(holds);
const isProducer = (value) => isText(value, /^[\da-f]{32}$/);
const EPOCH = /^[\w.~-]{1,64}$/;
export const isToken = (value) => isText(value, /^[!-~]{1,16384}$/);

export function readHello(body) {
  const hello = object(body, 1), { token, producer, successor, link, oldest, written, born, logEpoch } = hello;
  const { position, rooms, pending, held, visible, features } = hello, isNew = logEpoch === null;
  must((token === null || isToken(token)) && isProducer(producer) && isInteger(link, 1), 'ERR-11');
  must(isInteger(written, 0, MAX - 1) && isInteger(oldest, 1, written + 1) && typeof visible === 'boolean', 'ERR-11');
  must(written ? isProducer(successor) && successor !== producer && isInteger(born, 1, link - 1)
    : successor === null && born === null, 'ERR-11');
  must(isNew ? position === null && !written : isText(logEpoch, EPOCH) && isInteger(position, 0), 'HELLO-7');
  must(isList(rooms, 257, (one) => typeof one?.room === 'string' && one.room.isWellFormed()
    && spell(one.room).length <= 384 && (one.from === null || (!isNew && isInteger(one.from, 0)))
    && (one.grant === undefined || isText(one.grant, /^[\w.~-]{1,128}$/))), 'ERR-11');
  must(new Set(rooms.map(({ room }) => room)).size === rooms.length, 'ERR-11');
  must(isList(pending, 256, (n, i) => isInteger(n, (pending[i - 1] ?? 0) + 1, written)), 'ERR-11');
  must(isList(held, 2, (n, i) => isInteger(n, 0, [8_192, 1_310_719][i])) && held.length === 2, 'ERR-11');
  must(isList(features, 32, (one) => isText(one, /^[\da-z-]{1,32}$/)), 'LIM-18');
  return hello;
}
