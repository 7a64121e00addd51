// The words behind the numbers that cross the boundary, in the order of the core's enums.
import type { SessionCause, SessionErrorCode, UndeliveredReason } from '../../types/exactly-once.js';

export const why: readonly SessionCause[] = [
  'lost',
  'closed-by-server',
  'no-reply',
  'no-welcome',
  'protocol-error',
  'not-selected',
  'connect-timeout',
  'dial-failed',
  'provider-failed',
  'same-token',
  'goaway',
  'write-failed',
  'online',
  'wake',
  'visible',
  'restored',
  'reconnect',
  'suspended',
  'exhausted',
  'closed-by-user',
  'auth-refused',
  'max-attempts',
  'too-long',
];

/** Why a message left unstored: the reason in `undelivered`, and the code of the error. */
export const dropped: readonly (readonly [UndeliveredReason, SessionErrorCode])[] = [
  ['unknown', 'unknown'],
  ['in-doubt', 'in-doubt'],
  ['never-written', 'outbox-full'],
  ['never-written', 'expired'],
  ['never-written', 'replaced'],
  ['never-written', 'aborted'],
  ['never-written', 'too-large'],
  ['never-written', 'closed'],
];

/** `wire_submit` answers 0, or one more than the place in this list. */
export const refusal = ['closed', 'too-large', 'outbox-full'] as const;

/** Notices that are errors; the core's order. A refused token is told only if the wire ends by it. */
export const notice: readonly (SessionErrorCode | undefined)[] = [
  undefined,
  'protocol-error',
  'not-spoken',
  'unavailable',
  'store-stalled',
  'too-slow',
  'handler-unsettled',
  'window-shut',
];

export const pageFailure = ['refused', 'link-lost', 'lost', 'closed'] as const;
