import type { Envelope, Meta } from '../types/index.js';
import { HEARTBEAT, INVALID, MESSAGE } from './codes.ts';
import { joinBytes, toBytes, utf8Decode, utf8Length } from './bytes.ts';
import { EverwireError } from './errors.ts';

export type Frame = string | Uint8Array<ArrayBuffer>;

export const heartbeatFrame = '{"type":"heartbeat"}';

/** A source of ids: 96 random bits per wire, so that two tabs never meet, and a counter. */
export interface Ids {
  /** An id for the message of this ticket. */
  next(ticket: number): string;
  /** The ticket in an id that looks like one of ours, else undefined. Whoever asks compares the whole id. */
  ticketOf(id: unknown): number | undefined;
}

/**
 * Ids are the wire's 96 random bits, the ticket, and 32 random bits of their own: who has not been sent the message
 * cannot name it, so a message of ours that comes back proves that the server has read it.
 */
export function idSource(prefixBits: Uint32Array): Ids {
  let prefix = '';
  for (const word of prefixBits) prefix += word.toString(16).padStart(8, '0');
  prefix += '-';
  // Fetched 64 at a time, they cost a message 0.14 µs in Chromium.
  const pool = new Uint32Array(1024);
  let used = pool.length;
  return {
    next(ticket) {
      if (used === pool.length) {
        crypto.getRandomValues(pool);
        used = 0;
      }
      // The short ones first: fewer strings on the way to the long one. Decimals: to base 36 takes five times as long.
      return prefix + (ticket + '-' + pool[used++]);
    },
    ticketOf: (id) => (typeof id === 'string' && id.startsWith(prefix) ? parseInt(id.slice(prefix.length), 10) : undefined),
  };
}

export function compose(
  id: string, type: string, sender: string | null, receiver: string | null, content: unknown, meta: Meta | undefined,
): Envelope {
  return { id, type, sender, receiver, content, timestamp: Date.now(), meta: { read: false, delivered: false, ...meta } };
}

/** The frame that carries an envelope, as `write` puts it; its bytes are taken now. Throws an `EverwireError`. */
export function encode(envelope: Envelope, binary: boolean, max: number, write: (envelope: Envelope) => string = stringify): Frame {
  const { id, type, receiver, content } = envelope;
  if (typeof id !== 'string' || typeof type !== 'string' || (receiver !== null && typeof receiver !== 'string')) {
    throw new EverwireError('content', 'type, id and to are strings');
  }
  if (type === 'heartbeat') throw new EverwireError('content', 'the type heartbeat is reserved');
  const bytes = toBytes(content);
  if (bytes) {
    if (!binary) throw new EverwireError('binary-disabled');
    // Before the copy, which may be what there is no memory for.
    if (bytes.length > max) throw new EverwireError('too-large');
    return joinBytes(stringify({ ...envelope, content: undefined }), bytes);
  }
  // A Blob would silently become {}.
  if (typeof Blob === 'function' && content instanceof Blob) {
    throw new EverwireError('content', 'await blob.arrayBuffer() and send that');
  }
  // JSON would leave such a field out without a word.
  if (content === undefined || typeof content === 'function' || typeof content === 'symbol' || vanishes(content)) {
    throw new EverwireError('content', typeof content);
  }
  return write(envelope);
}

function vanishes(content: any): boolean {
  return typeof content?.toJSON === 'function' && stringify(content) === undefined;
}

export function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new EverwireError('content', undefined, error);
  }
}

/** The envelope in a frame of our own; of one that never became a frame, itself. */
export function decodeOwn(message: Frame | Envelope): Envelope {
  return typeof message === 'string' ? JSON.parse(message) : message instanceof Uint8Array ? splitBinary(message)! : message;
}

/** The bytes of an incoming frame; of a text above `max`, which is not worth measuring, its units, which are fewer. */
export function frameBytes(data: unknown, max: number): number {
  if (typeof data === 'string') return data.length > max ? data.length : utf8Length(data);
  return toBytes(data)?.length ?? 0;
}

/**
 * Hands each message of an incoming frame to `take`, and answers what the frame was. A batch with good and bad elements is
 * invalid, and good for the good ones.
 */
export function inspect(data: unknown, binary: boolean, take: (message: Envelope) => void): number {
  if (data === heartbeatFrame) return HEARTBEAT;
  const raw = toBytes(data);
  try {
    return sort(raw ? (binary && splitBinary(raw)) || JSON.parse(utf8Decode(raw)) : JSON.parse(data as string), take);
  } catch {
    // No UTF-8 or no JSON.
    return INVALID;
  }
}

/** What a parsed frame is: one envelope, or an array of them. */
function sort(parsed: any, take: (message: Envelope) => void): number {
  if (Array.isArray(parsed)) {
    const kinds = parsed.map((item) => (Array.isArray(item) ? INVALID : sort(item, take)));
    return kinds.includes(INVALID) ? INVALID : kinds.includes(MESSAGE) || !kinds.length ? MESSAGE : HEARTBEAT;
  }
  // A prototype cannot be reached from JSON: `__proto__` arrives as an own property, and nothing is copied by assignment.
  const type = parsed?.type;
  if (type === 'heartbeat') return HEARTBEAT;
  if (typeof type !== 'string') return INVALID;
  take(parsed);
  return MESSAGE;
}

/** An envelope without content as one JSON line, then the raw bytes; undefined if it is not of that form. */
function splitBinary(frame: Uint8Array): Envelope | undefined {
  const end = frame.indexOf(10);
  if (end < 0) return undefined;
  try {
    const envelope = JSON.parse(utf8Decode(frame.subarray(0, end)));
    if (typeof envelope.type === 'string' && !('content' in envelope)) {
      // A copy: a view would keep the whole frame alive and start at an odd offset.
      return { ...envelope, content: frame.slice(end + 1) };
    }
  } catch {
    // Plain JSON with a newline in it ends up here too.
  }
  return undefined;
}
