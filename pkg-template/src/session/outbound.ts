// Frames as they go out: bodies that the core never sees. No text made here is logged.
import { joinBytes, utf8Length } from '../bytes.ts';
import type { Frame } from '../envelope.ts';
import { NONE } from './contract.ts';

/** The length of a message. [Chapter 1] */
export function lengthOf(octets: Frame): number {
  return typeof octets === 'string' ? utf8Length(octets) : octets.length;
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
