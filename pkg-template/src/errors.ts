import type * as Public from '../types/index.js';
import type { SessionErrorCode } from '../types/exactly-once.js';
import type { ErrorCode } from '../types/index.js';

/** Texts never hold a token, a url or a content: they end up in logs. */
export const texts: Partial<Record<ErrorCode | SessionErrorCode, string>> = {
  closed: 'the wire is closed',
  content: 'JSON cannot hold this content',
  'too-large': 'longer than maxMessageBytes',
  'outbox-full': 'the outbox is full',
  aborted: 'the send was aborted',
  expired: 'its ttl was over',
  replaced: 'a newer message of its key took its place',
  'iterator-full': 'an iterator is not pulled: messages were dropped',
  'binary-disabled': 'binary content needs option binary: true',
  'malformed-frame': 'a frame from the server is no envelope',
  handler: 'a message handler failed',
  provider: 'a url, token or protocols function failed',
  connect: 'the WebSocket could not be made',
  'core-died': 'the WebAssembly instance died',
  'in-doubt-overflow': 'too many messages are unconfirmed',
  'reply-unlearned': 'the server stopped answering heartbeats',
  'auth-refused': 'the server refused two different tokens',
  'max-attempts': 'reconnect.maxAttempts reached',
};

export class EverwireError<Code extends ErrorCode | SessionErrorCode = ErrorCode> extends Error {
  // Minifiers rename classes, so the name is a field.
  override readonly name = 'EverwireError';
  readonly code: Code;

  constructor(code: Code, detail?: string, cause?: unknown) {
    super(texts[code] + (detail ? ': ' + detail : ''), cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** What `connect()` throws: wrong arguments are a `TypeError` everywhere in the platform. */
export function connectError(text: string, cause?: unknown): Public.ConnectError {
  const error = new TypeError('everwire: ' + text, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code: 'connect' as const });
}

/** For errors nobody listens to and nobody may miss. */
export function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error);
  else console.error(error);
}
