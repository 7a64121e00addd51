// The grammar of docs/PROTOCOL.md §3, the table of `hello`, and JSON as far as parsers disagree about it.
import { isUtf8 } from 'node:buffer';
import { unescape } from 'node:querystring';

const MAX = Number.MAX_SAFE_INTEGER;
const N = '(0|[1-9]\\d{0,15})';
const ROOM = '((?!\\S{385})(?:[\\w.~-]|%(?!2[DE]|3\\d|[46][1-9A-F]|[57][\\dA]|5F|7E)[\\dA-F]{2})+)'; // [FRM-10]
// A verb with a body has the LF, one without has none ([FRM-2]). What matches cannot be longer than [LIM-1].
const FORMS = ['hello\n', 'auth\n', 'cast\n', `send ${N} ${N} ${N}\n`, `seen ${N} ${N} ${N}`, `page ${N} ${ROOM} ${N} ${N}`,
  `join ${ROOM}`, `leave ${ROOM}`, 'vis [01]', `ping ${N}`, `pong ${N}`, `more ${N}`, `bye ${N}`];
const VERBS = new Map(FORMS.map((form) => [form.match(/\w+/)[0], new RegExp(`^${form}$`)]));

/** Where a rule does not hold the link ends: with a close code, and the clause for its reason. */
export function must(holds, clause, closes = 4002) {
  if (!holds) throw Object.assign(new Error(clause), { closes });
}

/** A frame of a client: its verb, its arguments, and the octets of its body. */
export function parse(data, binary) {
  const end = data.indexOf(10) + 1 || data.length;
  const line = data.latin1Slice(0, end);
  const [verb] = line.match(/^\w*/);
  const words = VERBS.get(verb)?.exec(line);
  must(words && (!binary || /^(send \d+ 1 \d+|cast)\n/.test(line)), 'FRM-1');
  const args = words.slice(1).map((word, i) => (i === { join: 0, leave: 0, page: 1 }[verb] ? word : Number(word)));
  must(args.every((arg) => typeof arg === 'string' || arg <= MAX), 'NUM-1');
  return { verb, args, body: data.subarray(end) };
}

export const spell = (subject) => encodeURIComponent(subject).replace(/[!'()*]/g, (char) => `%${Buffer.from(char).toString('hex')}`.toUpperCase());
/** The subject of a room in a header; '' if none comes of it, [FRM-11]. */
export const subjectOf = (room) => (spell(unescape(room)) === room ? unescape(room) : '');
export const isSubject = (text) => /^[^\0-\x1f\x7f-\x9f]+$/.test(text) && text.isWellFormed() && Buffer.byteLength(text) <= 128;

const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[[\]{},]|[^\s"[\]{},:]+/g;

/** An array or object that JSON.parse has accepted: its parts, and what other parsers would trip over ([REF-6]). */
function survey(text) {
  const open = []; // a set of names for each array and object
  const found = { parts: [], names: [], repeats: false, flawed: false };
  let start = text.search(/[[{]/) + 1;
  for (const { 0: token, 1: string, 2: colon, index } of text.matchAll(TOKEN)) {
    const word = string ? JSON.parse(string) : token;
    if (string ? !word.isWellFormed() : /\d/.test(token) && !isFinite(token)) found.flawed = true;
    if (colon) found.repeats ||= open.at(-1).size === open.at(-1).add(word).size;
    if (colon && open.length === 1) found.names.push(word);
    if ((token === '[' || token === '{') && open.push(new Set()) > 64) found.flawed = true; // [LIM-16]
    const closes = token === ']' || token === '}';
    if ((closes || token === ',') && open.length === 1) {
      found.parts.push(text.slice(start, index).trim());
      start = index + 1;
    }
    if (closes) open.pop();
  }
  return found;
}

const json = (octets) => JSON.parse(isUtf8(octets) ? octets : ''); // a SyntaxError is [ERR-6]

/** The elements of a body, and how long they are; a binary frame has one, with its content. */
export function elements(body, binary) {
  const line = binary ? body.subarray(0, Math.max(0, body.indexOf(10))) : body;
  const value = json(line);
  if (binary) return [{ text: `${line}`, value, length: body.length, content: body.subarray(line.length + 1) }];
  must(Array.isArray(value) && (value.length < 2 || body.length <= 65_536), 'LIM-4');
  const texts = value.length ? survey(`${line}`).parts : [];
  return texts.map((text, i) => ({ text, value: value[i], length: Buffer.byteLength(text) }));
}

/** The text of an envelope with some members written anew and all others as they are, [SEND-19]; none if it is malformed. */
export function restamp({ text, value, content }, members) {
  if (typeof value?.type !== 'string' || (content && Object.hasOwn(value, 'content'))) return null;
  const { parts, names, repeats, flawed } = survey(text);
  const others = parts.filter((_, i) => !Object.hasOwn(members, names[i]));
  return repeats || flawed ? null : `{${[...others, JSON.stringify(members).slice(1, -1)].join(',')}}`;
}

/** The messages that may lead a frame, texts up to [LIM-4] or one binary message; and the one behind them. */
export function batch(messages, most) {
  const lead = [];
  let octets = 1;
  for (const next of messages) {
    octets += next.size + 1;
    const full = lead.length === most || octets > 65_536 || Buffer.isBuffer(next.body) || Buffer.isBuffer(lead[0]?.body);
    if (lead.length && full) return { lead, next };
    lead.push(next);
  }
  return { lead };
}

export function frame(header, messages) {
  if (!Buffer.isBuffer(messages[0]?.body)) return `${header}\n[${messages.map(({ body }) => body).join(',')}]`;
  return Buffer.concat([Buffer.from(`${header}\n`), messages[0].body]);
}

const isInteger = (value, low, high = MAX) => Number.isInteger(value) && value >= low && value <= high;
const isText = (value, form) => typeof value === 'string' && form.test(value);
const isList = (value, most, holds) => Array.isArray(value) && value.length <= most && value.every(holds);
const isProducer = (value) => isText(value, /^[\da-f]{32}$/);

// The members of `auth` and `hello`; each row may rely on those before it.
export const AUTH = { token: (value) => isText(value, /^[!-~]{1,16384}$/) };
export const HELLO = {
  version: (value) => value === 1, // before any other member, [ERR-10]
  token: (value) => value === null || AUTH.token(value),
  producer: isProducer,
  link: (value) => isInteger(value, 1),
  written: (value) => isInteger(value, 0, MAX - 1),
  oldest: (value, { written }) => isInteger(value, 1, written + 1),
  successor: (value, { written, producer }) => (written ? isProducer(value) && value !== producer : value === null),
  born: (value, { written, link }) => (written ? isInteger(value, 1, link - 1) : value === null),
  logEpoch: (value, { written }) => (value === null ? !written : isText(value, /^[\w.~-]{1,64}$/)), // [HELLO-7]
  position: (value, { logEpoch }) => (logEpoch === null ? value === null : isInteger(value, 0)),
  rooms: (value, { logEpoch }) => isList(value, 257, (one) =>
    typeof one?.room === 'string' && one.room.isWellFormed() && spell(one.room).length <= 384 &&
    (one.from === null || (logEpoch !== null && isInteger(one.from, 0))) &&
    (one.grant === undefined || isText(one.grant, /^[\w.~-]{1,128}$/))) && new Set(value.map(({ room }) => room)).size === value.length,
  pending: (value, { written }) => isList(value, 256, (n, i) => isInteger(n, (value[i - 1] ?? 0) + 1, written)),
  held: (value) => isList(value, 2, (n, i) => isInteger(n, 0, [8_192, 1_310_719][i])) && value.length === 2,
  visible: (value) => typeof value === 'boolean',
  features: (value) => isList(value, 32, (one) => isText(one, /^[\da-z-]{1,32}$/)),
};

export function readObject(body, table) {
  const value = Object(json(body));
  for (const [name, holds] of Object.entries(table)) {
    must(holds(value[name], value), `ERR-11 ${name}`, name === 'version' && typeof value.version === 'number' ? 4500 : 4002);
  }
  must(!survey(`${body}`).repeats, 'FRM-12');
  return value;
}
