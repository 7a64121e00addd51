// Frames as they go out: bodies that the core never sees. No text made here is logged.
import { joinBytes, utf8Length } from '../bytes.ts';
import type { Envelope } from '../../types/index.js';
import { type Frame, stringify } from '../envelope.ts';
import { NONE } from './contract.ts';

/** The length of a message. [Chapter 1] */
export function lengthOf(octets: Frame): number {
  return typeof octets === 'string' ? utf8Length(octets) : octets.length;
}

// What stood before the last content, which mostly stands before the next one too: with the JSON of the whole envelope a message
// takes a third of a microsecond more.
let last: [type: unknown, sender: unknown, receiver: unknown, heading: string, beyondAscii: number] = [0, 0, 0, '', 0];
let ownTextBytes = 0;
let tailAt = 0;
let tail = '';

/** What its length in UTF-8 is more than that in UTF-16 units. */
const beyondAscii = (text: string) => utf8Length(text) - text.length;

/**
 * The JSON of an envelope with an id and a `meta` of our own making: the one needs no look, and the other is left out, for it says
 * nothing. [FRM-15]
 */
export function ownText({ id, type, sender, receiver, content, timestamp }: Envelope): string {
  // First of all: this may run code of the application, which may send another message.
  const written = stringify(content);
  if (type !== last[0] || sender !== last[1] || receiver !== last[2]) {
    const heading = `","type":${stringify(type)},"sender":${stringify(sender)},"receiver":${stringify(receiver)},"content":`;
    last = [type, sender, receiver, heading, beyondAscii(heading)];
  }
  if (timestamp !== tailAt) {
    tailAt = timestamp!;
    tail = `,"timestamp":${timestamp}}`;
  }
  const text = '{"id":"' + id + last[3] + written + tail;
  ownTextBytes = text.length + last[4] + beyondAscii(written);
  return text;
}

/**
 * The length of what `encode` has just answered with `ownText`. It is known without a look at the text as a whole, which an engine
 * has in pieces until somebody looks: to put it together for that takes half a microsecond, and a frame does it again.
 */
export function ownLength(octets: Frame): number {
  return typeof octets === 'string' ? ownTextBytes : octets.length;
}

/** `head` ends in LF if a body follows. */
export function frameOf(head: string, messages: (Frame | undefined)[], withdrawn: boolean): Frame | undefined {
  if (withdrawn) return `${head}[null]`;
  const [first] = messages;
  if (typeof first === 'object') return joinBytes(head.slice(0, -1), first);
  // A hole would shift every number behind it.
  if (!messages.every((message) => typeof message === 'string')) return undefined;
  // Within the list, which is written in one piece: around it, the frame would be copied once more.
  messages[0] = `${head}[${first}`;
  messages[messages.length - 1] += ']';
  return messages.join();
}

/** The JSON of `hello`, from what the core has of it. */
export function helloBody(numbers: Float64Array, texts: string[], token: string | null): string {
  let at = 0;
  let place = 0;
  const number = () => numbers[at++]!;
  const optional = () => {
    const value = number();
    return value === NONE ? null : value;
  };
  const text = () => texts[place++]!;
  const [link, oldest, written, born, position] = [number(), number(), number(), optional(), optional()];
  const held = [number(), number()];
  const visible = number() > 0;
  const [producer, successor, logEpoch] = [text(), text() || null, text() || null];
  const rooms = [];
  for (let left = number(); left > 0; left--) {
    const [from, room, grant] = [optional(), text(), text()];
    rooms.push(grant ? { room, from, grant } : { room, from });
  }
  const pending = [];
  for (let left = number(); left > 0; left--) pending.push(number());
  return JSON.stringify({
    version: 1, token, producer, successor, link, oldest, written, born, logEpoch, position, rooms, pending, held, visible, features: [],
  });
}
