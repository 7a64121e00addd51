import type { Logger, Options, ProtocolsSource, TokenSource } from '../types/index.js';
import { connectError } from './errors.ts';

/** The options, complete and in range. */
export interface Settings {
  sender: string | null;
  token: TokenSource | undefined;
  protocols: ProtocolsSource;
  binary: boolean;
  closeTimeout: number;
  maxMessageBytes: number;
  signal: AbortSignal | undefined;
  logger: Logger | undefined;
  WebSocket: new (url: string, protocols: string[]) => WebSocket;
  /** What `wire_create` takes after the seed. */
  config: number[];
}

const INT_MAX = 2 ** 31 - 1;
const DELAY_CAP = 30_000;

type Bag = Record<string, any>;

export function check(options: Options = {}): Settings {
  const {
    delivery = 'best-effort', sender, token, protocols, binary, heartbeatInterval, expectReply = 'learn', connectTimeout,
    closeTimeout, maxMessageBytes, highWaterBytes, rateLimit, logger, reconnect, outbox, signal, WebSocket = globalThis.WebSocket, ...unknown
  } = bag('options', options);
  none('', unknown);
  if (delivery === 'exactly-once') fail('delivery', "'best-effort'; 'exactly-once' is in everwire/exactly-once", delivery);
  oneOf('delivery', delivery, ['best-effort']);
  typed('sender', sender, 'string');
  typed('token', token, 'string', 'function');
  typed('binary', binary, 'boolean');
  if (typeof protocols !== 'function' && !Array.isArray(protocols)) typed('protocols', protocols, 'string', 'array', 'function');
  if (signal !== undefined) checkSignal(signal);
  if (typeof WebSocket !== 'function') {
    throw connectError('there is no WebSocket here; pass a constructor as option WebSocket');
  }

  const { delayMin, delayMax, factor, maxAttempts = Infinity, ...unknownDelays } = bag('reconnect', reconnect);
  none('reconnect.', unknownDelays);
  const { maxMessages, maxBytes, overflow = 'reject', ...unknownBounds } = bag('outbox', outbox);
  none('outbox.', unknownBounds);

  const frameMax = count('maxMessageBytes', maxMessageBytes, 1_048_576, 1, 67_108_864);
  const delayFloor = within('reconnect.delayMin', delayMin, 1_000, 10, DELAY_CAP);
  return {
    sender: sender ?? null,
    token,
    protocols: protocols ?? [],
    binary: !!binary,
    closeTimeout: timeout('closeTimeout', closeTimeout, 5_000),
    maxMessageBytes: frameMax,
    signal,
    logger: checkLogger(logger),
    WebSocket,
    config: [
      delayFloor,
      within('reconnect.delayMax', delayMax, DELAY_CAP, delayFloor, DELAY_CAP),
      within('reconnect.factor', factor, 2, 1, 10),
      maxAttempts === Infinity ? 0 : count('reconnect.maxAttempts', maxAttempts, 0, 1, INT_MAX, ' or Infinity'),
      within('connectTimeout', connectTimeout, 20_000, 1_000, 120_000),
      heartbeatInterval === 0 ? 0 : within('heartbeatInterval', heartbeatInterval, 30_000, 1_000, 600_000, ' or 0'),
      oneOf('expectReply', expectReply, [false, true, 'learn']),
      frameMax,
      count('outbox.maxMessages', maxMessages, 8_192, 1, 1_000_000),
      count('outbox.maxBytes', maxBytes, Math.max(8_388_608, frameMax), frameMax, 1_073_741_824),
      oneOf('outbox.overflow', overflow, OVERFLOWS),
      +(token !== undefined),
      highWater(highWaterBytes),
      ...rate(rateLimit),
      phone(),
    ],
  };
}

/** What a full outbox does, in the order of the core's enum. */
export const OVERFLOWS = ['reject', 'drop-oldest', 'drop-newest', 'wait'];

export function highWater(bytes: unknown): number {
  return count('highWaterBytes', bytes, 1_048_576, 16_384, 1_073_741_824);
}

/** 1 where a socket of a hidden page stalls, so that waits last until the page is looked at. */
export function phone(): number {
  return +/Mobi/.test(globalThis.navigator?.userAgent);
}

/** Thousandths of a message a second, 0 for no limit, and the burst. */
export function rate(limit: unknown): [number, number] {
  if (limit === undefined) return [0, 1];
  const { perSecond, burst, ...unknown } = bag('rateLimit', limit);
  none('rateLimit.', unknown);
  // Without it, NaN: a limit that says nothing is a mistake.
  const each = within('rateLimit.perSecond', perSecond ?? NaN, 0, 0.001, 1_000_000);
  return [Math.floor(each * 1000), count('rateLimit.burst', burst, Math.max(1, Math.ceil(each)), 1, 1_000_000)];
}

export function checkLogger(logger: any): Logger | undefined {
  const levels = ['debug', 'info', 'warn', 'error'];
  if (logger !== undefined && !levels.every((level) => typeof logger?.[level] === 'function')) fail('logger', 'an object with ' + levels.join(', '), logger);
  return logger;
}

/** What acts on a message while it waits; −1 for none. */
export function waitOptions(options: { priority?: number; ttl?: number; key?: string } | null | undefined) {
  const { priority, ttl, key } = options ?? {};
  typed('key', key, 'string');
  return { priority: count('priority', priority, 0, 0, 255), ttl: within('ttl', ttl, -1, 1, 2 ** 53 - 1), key };
}

export function timeout(name: string, value: unknown, fallback: number): number {
  return within(name, value, fallback, 0, 60_000);
}

export function checkSignal(signal: any): void {
  // Both: whoever listens takes the listener away again, and by then it is too late for an error.
  if (typeof (signal?.addEventListener && signal.removeEventListener) !== 'function') fail('signal', 'an AbortSignal', signal);
}

/** The value itself is shown only if it is a number: a string may be a token in the wrong place. */
export function fail(name: string, expected: string, value: unknown): never {
  throw new TypeError(`everwire: ${name} must be ${expected}, not ${typeof value === 'number' ? value : typeof value}`);
}

export function bag(name: string, value: unknown): Bag {
  if (value === undefined) return {};
  if (typeof value !== 'object' || !value) fail(name, 'an object', value);
  return value as Bag;
}

export function none(prefix: string, unknown: Bag): void {
  for (const key in unknown) throw new TypeError(`everwire: there is no option ${prefix}${key}`);
}

export function typed(name: string, value: unknown, ...types: string[]): void {
  if (value !== undefined && !types.includes(typeof value)) fail(name, types.join(' or '), value);
}

export function within(name: string, value: unknown, fallback: number, min: number, max: number, also = ''): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= min && value <= max)) fail(name, `${min} – ${max}${also}`, value);
  return value;
}

export function count(name: string, value: unknown, fallback: number, min: number, max: number, also = ''): number {
  if (value !== undefined && !Number.isInteger(value)) fail(name, `a whole number, ${min} – ${max}${also}`, value);
  return within(name, value, fallback, min, max, also);
}

export function oneOf(name: string, value: unknown, values: unknown[]): number {
  const place = values.indexOf(value);
  if (place < 0) fail(name, values.map((v) => JSON.stringify(v)).join(' or '), value);
  return place;
}
