// Frames as they go out: bodies that the core never sees. No text made here is logged.
import { utf8Length } from '../bytes.ts';
import { NONE } from './contract.ts';

const WEBSOCKET_OPEN = 1;
const encoder = /* @__PURE__ */ new TextEncoder();

/** A message's octets, taken when it was handed over: its JSON, or its envelope line and its content. */
export type Octets = string | Uint8Array<ArrayBuffer>;

/** False: not written. A socket may drop silently what it is given when it is not open. */
export function transmit(socket: WebSocket, frame: Octets): boolean {
  if (socket.readyState !== WEBSOCKET_OPEN) return false;
  try {
    socket.send(frame);
    return true;
  } catch {
    return false;
  }
}

/** The length of a message. [Chapter 1] */
export function lengthOf(octets: Octets): number {
  return typeof octets === 'string' ? utf8Length(octets) : octets.length;
}

/** `head` ends in LF if a body follows. */
export function frameOf(head: string, messages: (Octets | undefined)[], withdrawn: boolean): Octets | undefined {
  if (withdrawn) return `${head}[null]`;
  const [first] = messages;
  if (typeof first === 'object') {
    const line = encoder.encode(head);
    const frame = new Uint8Array(line.length + first.length);
    frame.set(line);
    frame.set(first, line.length);
    return frame;
  }
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
