// The words behind the numbers that cross the boundary, in the order of tests/vectors/codes.json.
import type { Cause, ErrorCode, State } from '../types/index.js';

export const state: readonly State[] = ['connecting', 'open', 'waiting', 'offline', 'closing', 'closed'];

export const cause: readonly Cause[] = [
  'lost',
  'closed-by-server',
  'no-reply',
  'connect-timeout',
  'dial-failed',
  'provider-failed',
  'provider-timeout',
  'online',
  'wake',
  'reconnect',
  'closed-by-user',
  'auth-refused',
  'max-attempts',
  'write-failed',
  'core-died',
  'visible',
  'restored',
  'suspended',
];

/** Why a ticket left without being settled. From `IN_DOUBT` on it had been written. */
export const reason = ['closed', 'overflow', 'aborted', 'expired', 'replaced', 'in-doubt', 'in-doubt-overflow'] as const;
export const IN_DOUBT = 5;

/** `wire_submit` answers 0, or one more than the place in this list. */
export const refusal = ['closed', 'too-large', 'outbox-full'] as const;

export const notice: readonly ErrorCode[] = ['in-doubt-overflow', 'reply-unlearned'];

/** What `inspect` found. */
export const MESSAGE = 0;
export const HEARTBEAT = 1;
export const INVALID = 2;
export const TOO_LARGE = 3;
