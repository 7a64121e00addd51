// The options, checked: an unknown one, or a value out of its range, is a TypeError that names both.
import type { ServerOptions } from '../../types/server.js';
import { bag, count, fail, none, typed, within } from '../options.ts';

const DAY = 86_400_000;

export interface ServerSettings {
  hooks: Required<Pick<ServerOptions, 'authenticate' | 'authorize' | 'handlers'>> & Pick<ServerOptions, 'onMessage'>;
  origins: string[];
  identities: string[];
  path: string;
  address: NonNullable<ServerOptions['address']>;
  window: number;
  /** In the order of `Server::new` in `host-wasm`. */
  numbers: Float64Array;
  maxMessageBytes: number;
}

export function checkServer(options: ServerOptions): ServerSettings {
  const {
    anonymous, authenticate, authorize, onMessage, handlers, origins = [], identities = ['user_', 'anon_'], path = '/', address,
    heartbeat, window, handlerTimeout, failureIsFinal = false, maxMessageBytes, maxRooms, messagesPerSecond, log, backlog, maxProducers,
    maxProducersPerIdentity, maxConnections, maxConnectionsPerAddress, maxGreetingPerAddress, connectsPerSecond, ...unknown
  } = bag('options', options);
  none('', unknown);
  typed('anonymous', anonymous, 'boolean');
  typed('authenticate', authenticate, 'function');
  typed('authorize', authorize, 'function');
  typed('onMessage', onMessage, 'function');
  typed('address', address, 'function');
  typed('failureIsFinal', failureIsFinal, 'boolean');
  if (!authenticate && !anonymous) throw new TypeError('everwire: option authenticate is missing; anonymous: true lets everybody in');
  if (authenticate && anonymous) throw new TypeError('everwire: option anonymous is for a server without authenticate, which may return { anonymous: true }');
  const known = bag('handlers', handlers) as Record<string, unknown>;
  for (const [type, handler] of Object.entries(known)) if (typeof handler !== 'function') fail(`handlers.${type}`, 'a function', handler);
  texts('origins', origins);
  texts('identities', identities);
  if (!identities.length || !identities.every((prefix) => prefix && !prefix.startsWith('_'))) fail('identities', 'prefixes that do not begin with _', identities);
  if (typeof path !== 'string' || !path.startsWith('/')) fail('path', 'a path that begins with /', path);
  const { maxMessages, maxBytes, maxAge, ...unknownBounds } = bag('log', log);
  none('log.', unknownBounds);
  const { maxMessages: missedMessages, maxBytes: missedBytes, ...unknownMissed } = bag('backlog', backlog);
  none('backlog.', unknownMissed);

  const windowMs = within('window', window, 10_000, 1_000, 600_000);
  const messageMax = count('maxMessageBytes', maxMessageBytes, 1_048_576, 1_024, 67_108_864);
  const producers = count('maxProducers', maxProducers, 100_000, 2, 10_000_000);
  return {
    hooks: {
      authenticate: authenticate ?? ((token) => token === null && { anonymous: true }),
      authorize: authorize ?? (() => true),
      onMessage,
      handlers: known as ServerSettings['hooks']['handlers'],
    },
    origins,
    identities,
    path,
    address: address ?? ((request) => request.socket.remoteAddress ?? ''),
    window: windowMs,
    maxMessageBytes: messageMax,
    numbers: Float64Array.of(
      within('heartbeat', heartbeat, 25_000, 5_000, 300_000),
      windowMs,
      count('maxRooms', maxRooms, 256, 1, 256),
      +failureIsFinal,
      within('handlerTimeout', handlerTimeout, 30_000, 1, 3_600_000),
      count('messagesPerSecond', messagesPerSecond, 10_000, 1, 10_000_000),
      messageMax,
      count('log.maxMessages', maxMessages, 100_000, 1, 100_000_000),
      count('log.maxBytes', maxBytes, 67_108_864, 1, 2 ** 31 - 1),
      within('log.maxAge', maxAge, DAY, 1_000, 365 * DAY),
      producers,
      count('maxProducersPerIdentity', maxProducersPerIdentity, Math.min(1_000, producers), 1, producers),
      count('maxConnections', maxConnections, 100_000, 1, 10_000_000),
      count('maxConnectionsPerAddress', maxConnectionsPerAddress, 10_000, 1, 10_000_000),
      count('maxGreetingPerAddress', maxGreetingPerAddress, 256, 1, 10_000_000),
      count('connectsPerSecond', connectsPerSecond, 50, 1, 1_000_000),
      count('backlog.maxMessages', missedMessages, 100_000, 1, 100_000_000),
      count('backlog.maxBytes', missedBytes, 67_108_864, 1, 2 ** 31 - 1),
    ),
  };
}

function texts(name: string, value: unknown): asserts value is string[] {
  if (!Array.isArray(value) || !value.every((text) => typeof text === 'string')) fail(name, 'an array of strings', value);
}
