import type {
  AnyMessages, Content, Envelope, Logger, MessagesOptions, MessageType, Meta, Overflow, RateLimit, RecentEvent, ReconnectingEvent, Sendable,
  State, StateChangeEvent, TokenSource, UrlSource, WebSocketLike, WireStats,
} from './index.js';

export type {
  AnyMessages, BinaryContent, Content, Envelope, Logger, MessagesOptions, MessageType, Overflow, RateLimit, RecentEvent, Meta, State,
  StateChangeEvent, TokenSource, UrlSource, WebSocketLike, WireStats,
} from './index.js';

/** A place in the server's log: with it a stored message has a name that never changes. */
export interface Position {
  /** The life of the log. */
  readonly logEpoch: string;
  /** The number in it. */
  readonly s: number;
}

/**
 * A message as it arrives. What is stored has a stable name, (`logEpoch`, `s`); a cast has none. One that was sent without `meta`
 * has `{ read: false, delivered: false }`.
 */
export interface SessionEnvelope<Type extends string = string, C = unknown> extends Envelope<Type, C> {
  logEpoch?: string;
  s?: number;
  /** True exactly for what was sent by `cast`. */
  cast?: boolean;
}

/** The server has the message in its log, once and in order. */
export interface SessionReceipt {
  readonly level: 'stored';
  /** Whether it survives a crash of the server. */
  readonly durable: boolean;
  /** The envelope's id. */
  readonly id: string;
}

/** Why a connection ended, why an attempt is scheduled, or why the wire closed. */
export type SessionCause =
  | 'lost' | 'closed-by-server' | 'no-reply' | 'no-welcome' | 'protocol-error' | 'not-selected' | 'connect-timeout' | 'dial-failed'
  | 'provider-failed' | 'same-token' | 'goaway' | 'write-failed' | 'online' | 'wake' | 'visible' | 'restored' | 'reconnect'
  | 'suspended' | 'exhausted' | 'closed-by-user' | 'auth-refused' | 'max-attempts' | 'too-long' | 'core-died';

/**
 * - `closed`: the wire is closing or closed
 * - `content`: JSON cannot hold it, or an argument has the wrong type
 * - `too-large`: longer than `maxMessageBytes` or than the server takes
 * - `outbox-full`: refused, or dropped for want of room
 * - `expired`: not written within its `ttl`; of a request also: not answered in time before it was written
 * - `replaced`: a newer message of its `key` took its place
 * - `aborted`: by a signal
 * - `refused`: the server refused it; the message holds its code
 * - `in-doubt`: the wire closed, or a request's time was over, before the outcome was known
 * - `unknown`: the server no longer knows this client (its log is gone, or it was away for 30 days): it may have arrived
 * - `denied`: not let into a room, or put out of it
 * - `link-lost`, `lost`: of a page of history: the connection ended before it came (ask again), or its log is gone
 * - `iterator-full`: casts were dropped because an iterator of `messages()` is not pulled
 * - `handler`: a message handler threw or rejected; `cause` is what it threw
 * - `provider`, `connect`, `core-died`, `auth-refused`, `max-attempts`: as in best-effort
 * - `protocol-error`: the server, or this client, has broken the protocol; three times in a row end the wire
 * - `not-spoken`: three connections in a row opened and brought no `welcome`
 * - `unavailable`, `store-stalled`, `too-slow`, `handler-unsettled`, `window-shut`: warnings; the wire goes on
 */
export type SessionErrorCode =
  | 'closed' | 'content' | 'too-large' | 'outbox-full' | 'expired' | 'replaced' | 'aborted' | 'refused' | 'in-doubt' | 'unknown'
  | 'denied' | 'link-lost' | 'lost' | 'handler' | 'iterator-full' | 'provider' | 'connect' | 'core-died' | 'auth-refused' | 'max-attempts'
  | 'protocol-error' | 'not-spoken' | 'unavailable' | 'store-stalled' | 'too-slow' | 'handler-unsettled' | 'window-shut';

/** What promises reject with and `error` events carry. No text of everwire's own ever holds a token, a url or a content. */
export class EverwireError extends Error {
  private constructor();
  readonly name: 'EverwireError';
  readonly code: SessionErrorCode;
}

/**
 * - `never-written`: it is in no log
 * - `in-doubt`, `unknown`: it may be in the log or not
 * - `refused`: it is not in the log and never will be
 */
export type UndeliveredReason = 'never-written' | 'in-doubt' | 'unknown' | 'refused';

/** A connection is in use. */
export interface SessionOpenEvent extends Event {
  readonly link: number;
  readonly attempts: number;
  /** Who the server says this client is. */
  readonly identity: string;
  /** Whether what is stored survives a crash of the server. */
  readonly durable: boolean;
  /** The longest message the server takes, in UTF-8 bytes. */
  readonly maxMessageBytes: number;
  /** The server's clock, in milliseconds since 1970, for display only. */
  readonly serverTime: number;
}

/** A connection that was in use has ended, or the wire has closed for good (`willRetry: false`, once). */
export interface SessionCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  readonly cause: SessionCause;
  /** Which clause of docs/PROTOCOL.md was broken, with cause `protocol-error`. */
  readonly clause: string | null;
  readonly willRetry: boolean;
  /** Milliseconds until the next attempt, or null. */
  readonly retryIn: number | null;
}

export interface SessionReconnectingEvent extends Omit<ReconnectingEvent, 'cause'> {
  readonly cause: SessionCause;
}

export interface StoredEvent extends Event {
  readonly id: string;
  readonly messageType: string;
  readonly durable: boolean;
}

/** A message was not stored, or nobody can know whether it was. Fires for every message that is not `settled`. */
export interface SessionUndeliveredEvent extends Event {
  readonly id: string;
  readonly messageType: string;
  readonly reason: UndeliveredReason;
  readonly cause: SessionErrorCode;
  /** With reason `refused`: the server's code. */
  readonly code: string | null;
  readonly message: SessionEnvelope;
}

export type SessionStats = WireStats<SessionCause>;

export interface SessionEventMap {
  statechange: StateChangeEvent;
  open: SessionOpenEvent;
  close: SessionCloseEvent;
  reconnecting: SessionReconnectingEvent;
  settled: StoredEvent;
  undelivered: SessionUndeliveredEvent;
  error: Event & { readonly error: EverwireError };
  /** Messages of these rooms are gone from the log before they could be read: load the rooms afresh. */
  lost: Event & { readonly rooms: readonly string[] };
  /** Receipts given by a server that has lost its log: these messages (the last 1,024 at most) may be gone. */
  unbacked: Event & { readonly ids: readonly string[] };
  /** The server does not let this client into a room, or not any more. */
  denied: Event & { readonly room: string; readonly code: string };
  /** The reader of a message of this wire says that it has arrived (`delivered`) or was read. A claim of `by` and no more. */
  delivered: Event & Position & { readonly id: string; readonly by: string };
  read: Event & Position & { readonly id: string; readonly by: string };
}

/** Checked at `connect()`: an unknown key or a value out of range throws a `TypeError` that names it. */
export interface SessionOptions {
  delivery?: 'exactly-once';
  /** Shown to this client's own handlers only until the server has stamped who it really is. Default none (`null`). */
  sender?: string;
  /** Asked before every dial and before the server's `expires` has passed. Travels in the first frame, never in the url. */
  token?: TokenSource;
  /**
   * Whether own messages that come back from a room reach handlers. Default `false`. Those with an `id` of your own choice are
   * recognised by the last 8,192 such ids (and 1,048,576 characters of them in all).
   */
  echo?: boolean;
  /** Whether senders of direct messages are told that they have been delivered. Default `false`. */
  deliveredReceipts?: boolean;
  /** Hosts, `host` or `host:port`, to which a draining server may send this client besides its own; they will see the token. */
  redirects?: readonly string[];
  /** Milliseconds of silence after which the server is asked: 1,000 – 600,000. Default 30,000. */
  heartbeatInterval?: number;
  /** Milliseconds the functions, and then the socket, may take: 1,000 – 120,000. Default 20,000. */
  connectTimeout?: number;
  /** Milliseconds `close()` waits for the outbox to empty: 0 – 60,000. Default 5,000. */
  closeTimeout?: number;
  /** The longest message in UTF-8 bytes that is sent: 1 – 67,108,864. Default 1,048,576. */
  maxMessageBytes?: number;
  /** Bytes in the socket's buffer above which nothing more is written: 16,384 – 1,073,741,824. Default 1,048,576. */
  highWaterBytes?: number;
  /**
   * How fast messages and casts may be written; other messages wait in the outbox, a cast beyond it does not go out. What is sent
   * again after a lost connection is not counted again. Default: no limit.
   */
  rateLimit?: RateLimit;
  /** Told of what `recent()` keeps, as it happens; `console` will do. What it throws is ignored. Default none: silence. */
  logger?: Logger;
  reconnect?: {
    /** Retries in a row before the wire closes: 1 – 2,147,483,647. Default `Infinity`. The waits are the protocol's. */
    maxAttempts?: number;
  };
  outbox?: {
    /** How many messages may wait: 1 – 1,000,000. Default 8,192. */
    maxMessages?: number;
    /** How many bytes may wait: `maxMessageBytes` – 1,073,741,824. Default 8,388,608, or `maxMessageBytes` if that is more. */
    maxBytes?: number;
    /**
     * What a full outbox does. `'reject'`: the new message is refused. `'drop-oldest'`: the oldest of the lowest priority leave.
     * `'drop-newest'`: the new one leaves. `'wait'`: `send()` stays pending until there is room; so up to 1,024 messages and once
     * more `maxBytes` wait beyond the bounds, with their `ttl`, `key`, `priority` and `signal` at work, and what comes beyond that is
     * refused. All are reported by `undelivered`. Default `'reject'`.
     */
    overflow?: Overflow;
  };
  /** Closes the wire when aborted, without writing what waits. */
  signal?: AbortSignal;
  /** The constructor to use. Default `globalThis.WebSocket`. */
  WebSocket?: new (url: string, protocols: string[]) => WebSocketLike;
}

export interface SessionSendOptions {
  /** A room or an identity. */
  to?: string | null;
  /** Added to the envelope's `meta`. */
  meta?: Meta;
  /** Milliseconds after which it is no longer worth writing: 1 – 2^53 − 1. What is written stays. Default none. */
  ttl?: number;
  /** Of the messages of a key that wait only the newest is kept: cursors, game state. Default none. */
  key?: string;
  /** 0 – 255, whole; higher ones are written first. Default 0. */
  priority?: number;
  /** Takes it back while it waits. Once it has a number it stays, and only the promise rejects. */
  signal?: AbortSignal;
  /** The envelope's `id`. Default: a fresh one. */
  id?: string;
}

export interface RequestOptions extends Omit<SessionSendOptions, 'to'> {
  /** Milliseconds to wait for the answer: 1 – 3,600,000. Default 30,000. */
  timeout?: number;
}

export interface HistoryOptions {
  /** The newest below this position; default: the newest there are. */
  before?: Position | null;
  /** How many: 1 – 256. Default 50. */
  count?: number;
  signal?: AbortSignal;
}

export interface HistoryPage<Type extends string = string, C = unknown> {
  /** Oldest first. */
  readonly messages: readonly SessionEnvelope<Type, C>[];
  /** What to ask for next with `before`; null if the log keeps nothing older. */
  readonly older: Position | null;
}

export interface HandlerOptions {
  /** Starts the next message of this handler when the promise of the one before has settled. Default `false`: they start in order and are not awaited. */
  serial?: boolean;
}

export interface CloseOptions {
  /** Milliseconds to wait for the outbox to empty: 0 – 60,000. Default: the option `closeTimeout`. */
  timeout?: number;
  /** Gives up waiting when aborted, and closes. */
  signal?: AbortSignal;
}

/** A room that this wire is in, or wants to be in, over all reconnections. */
export interface Room<Messages extends object = AnyMessages> {
  readonly name: string;
  /** Resolves when the server has let this client in, and rejects (`denied`) if it does not. May be ignored. */
  readonly joined: Promise<void>;
  /** As {@link Wire.on}, for messages of this room. */
  on<Type extends MessageType<Messages>>(
    type: Type, handler: (message: SessionEnvelope<Type, Content<Messages, Type>>) => unknown, options?: HandlerOptions,
  ): () => void;
  /** As {@link Wire.messages}, of this room. */
  messages<Type extends MessageType<Messages>>(
    type: Type, options?: MessagesOptions,
  ): AsyncIterableIterator<SessionEnvelope<Type, Content<Messages, Type>>> & AsyncDisposable;
  send<Type extends MessageType<Messages>>(
    type: Type, content: Sendable<Content<Messages, Type>>, options?: Omit<SessionSendOptions, 'to'>,
  ): Promise<SessionReceipt>;
  cast<Type extends MessageType<Messages>>(type: Type, content: Sendable<Content<Messages, Type>>): boolean;
  history(options?: HistoryOptions): Promise<HistoryPage>;
  leave(): void;
}

/** One logical, long-lived connection whose messages arrive exactly once and in order. */
export interface Wire<Messages extends object = AnyMessages> extends EventTarget {
  readonly state: State;
  /** How many messages have not been written yet. */
  readonly queued: number;
  /** How many bytes they are. */
  readonly queuedBytes: number;
  /** Who the server says this client is; undefined before the first connection. */
  readonly identity: string | undefined;

  /**
   * Calls `handler` once for every message of this type, in the order of the log, and for casts. A message counts as processed
   * when the promises of all its handlers have settled; a handler that throws or rejects is reported by `error` (code `handler`)
   * and counts as well.
   * @returns a function that ends it.
   */
  on<Type extends MessageType<Messages>>(
    type: Type, handler: (message: SessionEnvelope<Type, Content<Messages, Type>>) => unknown, options?: HandlerOptions,
  ): () => void;

  /**
   * The messages of this type from now on, and casts, for `for await`. A message counts as processed when the next one is pulled: who
   * is slow holds back the server, and is told by `error` (`handler-unsettled`) after 60 s. Leaving the loop ends it, and lets go of
   * what was not pulled as if nobody listened; when the wire closes it ends after what had come.
   */
  messages<Type extends MessageType<Messages>>(
    type: Type, options?: MessagesOptions,
  ): AsyncIterableIterator<SessionEnvelope<Type, Content<Messages, Type>>> & AsyncDisposable;

  /** Figures about this wire, for dashboards and bug reports. Cheap. */
  stats(): SessionStats;

  /** The last 200 events, oldest first: without contents, tokens, urls, ids, names and producers. */
  recent(): RecentEvent[];

  /**
   * Sends a message, now or as soon as there is a connection, once and in order. The bytes are taken at once. Never throws.
   * Resolves when the server has it. Rejects with an {@link EverwireError}, and `undelivered` fires. You may ignore the promise.
   */
  send<Type extends MessageType<Messages>>(
    type: Type, content: Sendable<Content<Messages, Type>>, options?: SessionSendOptions,
  ): Promise<SessionReceipt>;

  /** Sends a message that nobody keeps, if there is a connection now. @returns whether it went out. */
  cast<Type extends MessageType<Messages>>(type: Type, content: Sendable<Content<Messages, Type>>, options?: { to?: string }): boolean;

  /** Asks the server's handler of this type and resolves with its answer; the type `error` is an answer too. A request runs at most once. */
  request<Type extends MessageType<Messages>>(
    type: Type, content: Sendable<Content<Messages, Type>>, options?: RequestOptions,
  ): Promise<SessionEnvelope>;

  /** Joins a room for as long as this wire lives. @throws TypeError if it is no room's name, or the 257th. */
  join(name: string): Room<Messages>;

  /** A page of a room's history. */
  history(room: string, options?: HistoryOptions): Promise<HistoryPage>;

  /** Tells the sender of a message that it has been read. @returns false if there is nobody to tell, or it has been done. */
  markRead(message: SessionEnvelope): boolean;

  /** Writes what waits, then closes for good. Resolves when it is closed, and never rejects. */
  close(options?: CloseOptions): Promise<void>;

  /** Dials now: instead of the scheduled attempt, or in place of the present connection. */
  reconnect(): void;

  addEventListener<Name extends keyof SessionEventMap>(
    name: Name,
    listener: ((this: this, event: SessionEventMap[Name]) => unknown) | { handleEvent(event: SessionEventMap[Name]): unknown } | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof SessionEventMap>(
    name: Name,
    listener: ((this: this, event: SessionEventMap[Name]) => unknown) | { handleEvent(event: SessionEventMap[Name]): unknown } | null,
    options?: boolean | EventListenerOptions,
  ): void;

  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a wire to a server that speaks `everwire.v1`. Synchronous, and never throws for a network reason.
 *
 * ```ts
 * import { connect } from 'everwire/exactly-once';
 * const wire = connect('wss://example.com/live', { token: () => auth.freshToken() });
 * const room = wire.join('room_456');
 * room.on('text', (message) => show(message.sender, message.content));
 * await room.send('text', 'hello');          // the server has it, once
 * ```
 * @throws {TypeError} for an unknown option or one out of range; the message names it and the range.
 */
export function connect<Messages extends object = AnyMessages>(url: UrlSource, options?: SessionOptions): Wire<Messages>;
