// What stands behind the header line of an inbound frame. The header line itself is the core's to read.
import { toBytes, utf8Length } from '../bytes.ts';
import { NONE } from './contract.ts';

/** A frame, taken apart. */
export interface Inbound {
  head: string;
  /** Kind, form, octets of the body and of the envelope line; then what the kind says. */
  found: number[];
  texts: string[];
  /** The elements of its array, as they are: what is no message stands there too. */
  elements: unknown[];
  /** The `url` of a `goaway`. */
  url: string | undefined;
}

/** Kinds of body, as the core numbers them. */
const WELCOME = 1, LOST = 2, GOAWAY = 3, AUTH = 4, ELEMENTS = 5, UNREADABLE = 6;
const LF = 10;
/** So many numbers of `found` stand in front of what the kind says. */
const HEADED = 4;

/** Throws for what is not UTF-8, and leaves a U+FEFF where it is: it is no JSON. [FRM-5] */
const strict = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type Bag = Record<string, any>;

/**
 * Takes a frame apart. `wanted` says whether anybody listens to a type: what nobody listens to is processed as soon as it has
 * come. A `goaway` may be followed if `follows` says so.
 */
export function read(data: unknown, wanted: (message: Bag) => boolean, follows: (url: string) => boolean): Inbound {
  const inbound: Inbound = { head: '', found: [UNREADABLE, 0, NONE, NONE], texts: [], elements: [], url: undefined };
  const raw = typeof data === 'string' ? undefined : toBytes(data);
  let body: string | Uint8Array | undefined;
  let content: Uint8Array | undefined;
  if (raw) {
    inbound.found[1] = 1;
    const end = raw.indexOf(LF);
    const second = end < 0 ? -1 : raw.indexOf(LF, end + 1);
    inbound.head = latin1(end < 0 ? raw : raw.subarray(0, end));
    if (end >= 0) inbound.found[2] = raw.length - end - 1;
    if (second >= 0) {
      inbound.found[3] = second - end - 1;
      body = raw.subarray(end + 1, second);
      // A copy: a view would keep the whole frame alive and start at an odd offset.
      content = raw.slice(second + 1);
    }
  } else if (typeof data === 'string') {
    const end = data.indexOf('\n');
    inbound.head = end < 0 ? data : data.slice(0, end);
    if (end >= 0) {
      body = data.slice(end + 1);
      inbound.found[2] = utf8Length(body);
    }
  }
  const verb = inbound.head.split(' ', 3);
  try {
    interpret(inbound, verb, body, content, wanted, follows);
  } catch {
    inbound.found[0] = UNREADABLE;
    inbound.found.length = HEADED;
    inbound.texts = [];
    inbound.elements = [];
  }
  return inbound;
}

function interpret(
  inbound: Inbound, [verb, , third]: string[], body: string | Uint8Array | undefined, content: Uint8Array | undefined,
  wanted: (message: Bag) => boolean, follows: (url: string) => boolean,
): void {
  const kind = verb === 'push' || verb === 'cast' || verb === 'reply' || (verb === 'page' && third?.[0] !== '!') ? ELEMENTS
    : verb === 'welcome' ? WELCOME : verb === 'lost' ? LOST : verb === 'goaway' ? GOAWAY : verb === 'auth' ? AUTH : 0;
  if (kind) {
    // Without a body it is the header line that is wrong, and the core sees that.
    if (body === undefined) return;
    const parsed = JSON.parse(typeof body === 'string' ? body : strict.decode(body));
    if (kind === ELEMENTS) elements(inbound, content ? [withContent(parsed, content)] : list(parsed), verb === 'push' && wanted);
    else READERS[kind]!(inbound, object(parsed), follows);
  }
  inbound.found[0] = kind;
}

const READERS: Record<number, (inbound: Inbound, bag: Bag, follows: (url: string) => boolean) => void> = {
  [WELCOME]: welcome,
  [LOST]: ({ found, texts }, { logEpoch, subjects, first }) => {
    found.push(count(first), list(subjects).length);
    texts.push(text(logEpoch), ...subjects.map(text));
  },
  [GOAWAY]: (inbound, { reason, url }, follows) => {
    // Only for people.
    if (typeof reason !== 'string') throw reason;
    const goes = typeof url === 'string' && follows(url);
    if (goes) inbound.url = url;
    inbound.found.push(+goes);
  },
  [AUTH]: ({ found }, { expires, renewed }) => {
    found.push(optional(expires), +flag(renewed));
  },
};

function welcome({ found, texts }: Inbound, bag: Bag): void {
  const { identity, producer, logEpoch, refused, rooms, denied, lost, limits, durable, features } = bag;
  if (bag.version !== 1 || (producer !== 'kept' && producer !== 'successor')) throw bag;
  list(features).forEach(text);
  found.push(+(producer === 'successor'), count(bag.born), count(bag.mark), count(bag.credit), count(bag.position), +flag(durable));
  found.push(count(bag.heartbeat), count(bag.window), count(object(limits).message), count(limits.rooms));
  found.push(optional(bag.expires), count(bag.time), lost === null ? NONE : count(object(lost).first));
  texts.push(text(identity), text(logEpoch));
  found.push(list(refused).length);
  for (const pair of refused.map(list)) {
    if (pair.length !== 2) throw pair;
    found.push(count(pair[0]));
    texts.push(text(pair[1]));
  }
  found.push(list(rooms).length);
  for (const { room, from, grant } of rooms.map(object)) {
    found.push(count(from));
    texts.push(text(room), grant === undefined ? '' : text(grant));
  }
  found.push(list(denied).length);
  for (const { room, code } of denied.map(object)) texts.push(text(room), text(code));
  const gone = lost === null ? [] : list(lost.subjects);
  found.push(gone.length);
  texts.push(...gone.map(text));
}

/**
 * Each different subject crosses the boundary once a frame, and for those of the same that stand together its place and how many they
 * are. `wanted` is false where everything is.
 */
function elements(inbound: Inbound, all: unknown[], wanted: false | ((message: Bag) => boolean)): void {
  const places = new Map<string, number>();
  const { found, texts } = inbound;
  inbound.elements = all;
  for (const element of all) {
    let place: number | undefined = NONE;
    if (isMessage(element)) {
      const subject = typeof element.receiver === 'string' ? element.receiver : '';
      if (!wanted || (subject && wanted(element))) {
        place = places.get(subject);
        if (place === undefined) {
          places.set(subject, (place = places.size));
          texts.push(subject);
        }
        withMeta(element);
      }
    }
    if (found.length > HEADED && found[found.length - 2] === place) found[found.length - 1]!++;
    else found.push(place, 1);
  }
}

/** A message that says nothing of itself has not been read: that need not travel. [FRM-15] */
export function withMeta(message: Bag): Bag {
  if (message.meta === undefined) message.meta = { read: false, delivered: false };
  return message;
}

/** Whether an element is an envelope. Its own members only: what `Object.prototype` has is nobody's. */
export function isMessage(element: unknown): element is Bag {
  return typeof element === 'object' && element !== null && !Array.isArray(element) && typeof (element as Bag).type === 'string';
}

function withContent(envelope: unknown, content: Uint8Array): unknown {
  // Of the envelope line too: with a content of its own it is no envelope. [FRM-7]
  if (!isMessage(envelope) || Object.hasOwn(envelope, 'content')) return null;
  return { ...envelope, content };
}

function latin1(octets: Uint8Array): string {
  let line = '';
  // A header line is short; what is longer is malformed whatever it says.
  for (const octet of octets.subarray(0, 40_000)) line += String.fromCharCode(octet);
  return line;
}

// Each throws for what is of another type; what the number means is the core's to judge. [NUM-1]
function object(value: any): Bag {
  if (typeof value !== 'object' || !value || Array.isArray(value)) throw value;
  return value;
}

function list(value: any): any[] {
  if (!Array.isArray(value)) throw value;
  return value;
}

/** Half a surrogate pair is no text: it could not be written back. */
function text(value: any): string {
  if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) throw value;
  return value;
}

function flag(value: any): boolean {
  if (typeof value !== 'boolean') throw value;
  return value;
}

function count(value: any): number {
  if (!Number.isSafeInteger(value) || value < 0) throw value;
  return value;
}

function optional(value: any): number {
  return value === null ? NONE : count(value);
}
