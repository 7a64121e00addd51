import type { SessionOptions, TokenSource } from '../../types/exactly-once.js';
import type { Logger } from '../../types/index.js';
import { connectError } from '../errors.ts';
import { bag, checkLogger, checkSignal, count, fail, highWater, none, oneOf, OVERFLOWS, phone, rate, timeout, typed, within } from '../options.ts';

/** The options, complete and in range. */
export interface SessionSettings {
  sender: string | null;
  token: TokenSource | undefined;
  echo: boolean;
  receipts: boolean;
  redirects: string[];
  closeTimeout: number;
  maxMessageBytes: number;
  signal: AbortSignal | undefined;
  logger: Logger | undefined;
  WebSocket: new (url: string, protocols: string[]) => WebSocket;
  /** What `wire_create` takes after the seed. */
  config: number[];
}

/** The longest message that this client can take: LIM-2 allows a server no more. */
const TAKES_BYTES_MAX = 67_108_864;
const INT_MAX = 2 ** 31 - 1;

export function checkSession(options: SessionOptions = {}): SessionSettings {
  const {
    delivery = 'exactly-once', sender, token, echo = false, deliveredReceipts = false, redirects = [], heartbeatInterval, connectTimeout,
    closeTimeout, maxMessageBytes, highWaterBytes, rateLimit, logger, reconnect, outbox, signal, WebSocket = globalThis.WebSocket, ...unknown
  } = bag('options', options);
  none('', unknown);
  oneOf('delivery', delivery, ['exactly-once']);
  typed('sender', sender, 'string');
  typed('token', token, 'string', 'function');
  if (typeof token === 'string') checkToken(token);
  typed('echo', echo, 'boolean');
  typed('deliveredReceipts', deliveredReceipts, 'boolean');
  if (!Array.isArray(redirects) || !redirects.every((host) => typeof host === 'string')) fail('redirects', 'an array of hosts', redirects);
  if (signal !== undefined) checkSignal(signal);
  if (typeof WebSocket !== 'function') throw connectError('there is no WebSocket here; pass a constructor as option WebSocket');
  const { maxAttempts = Infinity, ...unknownDelays } = bag('reconnect', reconnect);
  none('reconnect.', unknownDelays);
  const { maxMessages, maxBytes, overflow = 'reject', ...unknownBounds } = bag('outbox', outbox);
  none('outbox.', unknownBounds);

  const messageMax = count('maxMessageBytes', maxMessageBytes, 1_048_576, 1, TAKES_BYTES_MAX);
  return {
    sender: sender ?? null,
    token,
    echo,
    receipts: deliveredReceipts,
    redirects,
    closeTimeout: timeout('closeTimeout', closeTimeout, 5_000),
    maxMessageBytes: messageMax,
    signal,
    logger: checkLogger(logger),
    WebSocket,
    config: [
      maxAttempts === Infinity ? 0 : count('reconnect.maxAttempts', maxAttempts, 0, 1, INT_MAX, ' or Infinity'),
      within('connectTimeout', connectTimeout, 20_000, 1_000, 120_000),
      within('heartbeatInterval', heartbeatInterval, 30_000, 1_000, 600_000),
      messageMax,
      TAKES_BYTES_MAX,
      highWater(highWaterBytes),
      count('outbox.maxMessages', maxMessages, 8_192, 1, 1_000_000),
      count('outbox.maxBytes', maxBytes, Math.max(8_388_608, messageMax), messageMax, 1_073_741_824),
      oneOf('outbox.overflow', overflow, OVERFLOWS),
      +(token !== undefined),
      ...rate(rateLimit),
      phone(),
    ],
  };
}

/** LIM-15: what a header of HTTP could hold too. */
export function checkToken(token: unknown): string {
  if (typeof token !== 'string' || !/^[!-~]{1,16384}$/.test(token)) {
    throw connectError('a token is 1 – 16,384 visible ASCII characters');
  }
  return token;
}
