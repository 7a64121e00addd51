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
let last: [type: unknown, sender: unknown, receiver: unknown, heading: string] = [0, 0, 0, ''];

function heading({ type, sender, receiver }: Envelope): string {
  if (type !== last[0] || sender !== last[1] || receiver !== last[2]) {
    last = [type, sender, receiver, `,"type":${stringify(type)},"sender":${stringify(sender)},"receiver":${stringify(receiver)},"content":`];
  }
  return last[3];
}

/** The JSON of an envelope with an id and a `meta` of our own making, which need no look. */
export function ownText(envelope: Envelope): string {
  return `{"id":"${envelope.id}"` + heading(envelope) + stringify(envelope.content)
    + `,"timestamp":${envelope.timestamp},"meta":{"read":false,"delivered":false}}`;
}

/** `head` ends in LF if a body follows. */
export function frameOf(head: string, messages: (Frame | undefined)[], withdrawn: boolean): Frame | undefined {
  if (withdrawn) return `${head}[null]`;
  const [first] = messages;
  if (typeof first === 'object') return joinBytes(head.slice(0, -1), first);
  // A hole would shift every number behind it.
  return messages.every((message) => typeof message === 'string') ? `${head}[${messages.join()}]` : undefined;
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
