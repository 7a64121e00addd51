/// <reference lib="esnext.disposable" />

/**
 * What a wire carries when no message map is given: `text` is a string, anything else is `unknown`
 * until you look at it.
 */
export interface AnyMessages {
  text: string;
  [type: string]: unknown;
}

/** The types every wire knows. Declare one of them in your own map to say what its content is. */
export interface BuiltInMessages {
  text: string;
  image: unknown;
  file: unknown;
  system: unknown;
  error: unknown;
}

/** The built-in types and yours; yours win. */
export type MessageMap<Messages> = string extends keyof Messages
  ? Messages
  : Omit<BuiltInMessages, keyof Messages> & Messages;

/** A message type by name. `heartbeat` belongs to everwire: it is neither sent nor handled by you. */
export type MessageType<Messages> = Exclude<keyof MessageMap<Messages> & string, 'heartbeat'>;

/** The content of one message type. */
export type Content<Messages, Type extends MessageType<Messages>> = MessageMap<Messages>[Type];

/** Binary content as it is sent; it arrives as a `Uint8Array`. Needs the option `binary: true`. */
export type BinaryContent = ArrayBufferLike | ArrayBufferView;

/** What `send` takes: where the map says `Uint8Array`, any buffer or view will do. */
export type Sendable<C> = C extends Uint8Array ? BinaryContent : C;

/** Flags about a message, open for your own. */
export interface Meta {
  read?: boolean;
  delivered?: boolean;
  [key: string]: unknown;
}

/**
 * One message. What everwire sends has every field; what arrives is handed on as it came, and only
 * `type` is certain. The content is *not* checked against your map: the server is trusted to keep to it.
 */
export interface Envelope<Type extends string = string, C = unknown> {
  id?: string;
  type: Type;
  sender?: string | null;
  receiver?: string | null;
  content: C;
  /** Milliseconds since the epoch. */
  timestamp?: number;
  meta?: Meta;
  [field: string]: unknown;
}

/** How far a message provably got. */
export interface Receipt {
  /** `written`: handed to an open socket in use. Whether it also arrived is said by `settled` or `undelivered`. */
  readonly level: 'written';
  /** Whether the server has it on disk. Never in best-effort. */
  readonly durable: false;
  /** The envelope's id. */
  readonly id: string;
}

/**
 * - `connecting`: dialling, or opened and not yet proved
 * - `open`: in use. Proof is the first frame from the server, or a socket that stays up
 * - `waiting`: no connection; the next attempt is scheduled
 * - `offline`: as `waiting`, and the browser says that there is no network
 * - `closing`: `close()` was called and what waits is being written
 * - `closed`: for good
 */
export type State = 'connecting' | 'open' | 'waiting' | 'offline' | 'closing' | 'closed';

/** Why a connection ended, why an attempt is scheduled, or why the wire closed. */
export type Cause =
  | 'lost'
  | 'closed-by-server'
  | 'no-reply'
  | 'connect-timeout'
  | 'dial-failed'
  | 'provider-failed'
  | 'provider-timeout'
  | 'online'
  | 'wake'
  | 'reconnect'
  | 'closed-by-user'
  | 'auth-refused'
  | 'max-attempts'
  | 'write-failed'
  | 'core-died'
  | 'visible'
  | 'restored'
  | 'suspended';

/**
 * - `closed`: the wire is closing or closed
 * - `content`: JSON cannot hold it (a cycle, a BigInt, `undefined`, a function), or an argument has the wrong type
 * - `too-large`: longer than `maxMessageBytes`; also for a frame that arrived
 * - `outbox-full`: refused, or dropped by the policy `outbox.overflow`
 * - `aborted`: by the signal given to `send`
 * - `expired`: not written within its `ttl`
 * - `replaced`: a newer message of its `key` took its place before it was written
 * - `iterator-full`: an iterator of `messages()` is not pulled as fast as messages come; the oldest were dropped. Told once until
 *   all has been pulled
 * - `binary-disabled`: binary content without the option `binary: true`
 * - `malformed-frame`: the server sent something that is no JSON or no envelope; the connection is kept
 * - `handler`: a message handler threw or rejected; `cause` is what it threw
 * - `provider`: the url, token or protocols function threw, rejected, did not answer in time, or gave something unusable
 * - `connect`: the platform refused to make the socket
 * - `core-died`: the WebAssembly instance trapped; this wire is closed, a new `connect()` works
 * - `in-doubt-overflow`: more than 8,192 written messages or 16 MiB of them are unconfirmed; the oldest are given up as in doubt
 * - `reply-unlearned`: the server stopped answering heartbeats; answers are no longer expected
 * - `auth-refused`: the server refused two different tokens; the wire closes
 * - `max-attempts`: the first dial and `reconnect.maxAttempts` retries in a row have failed; the wire closes
 */
export type ErrorCode =
  | 'closed'
  | 'content'
  | 'too-large'
  | 'outbox-full'
  | 'aborted'
  | 'expired'
  | 'replaced'
  | 'iterator-full'
  | 'binary-disabled'
  | 'malformed-frame'
  | 'handler'
  | 'provider'
  | 'connect'
  | 'core-died'
  | 'in-doubt-overflow'
  | 'reply-unlearned'
  | 'auth-refused'
  | 'max-attempts';

/**
 * What `send()` rejects with and what `error` events carry. No text of everwire's own ever holds a token, a url or
 * a content.
 */
export class EverwireError extends Error {
  private constructor();
  readonly name: 'EverwireError';
  readonly code: ErrorCode;
}

/** What `connect()` throws when no wire can be made of its arguments, or none here. */
export interface ConnectError extends TypeError {
  readonly code: 'connect';
}

/** `state` has changed. */
export interface StateChangeEvent extends Event {
  readonly state: State;
}

/** A connection is in use. */
export interface OpenEvent extends Event {
  /** The number of this connection, counted from 1 at every dial. */
  readonly link: number;
  /** How many attempts came before it since the wire was last stable; 0 for a first one that works at once. */
  readonly attempts: number;
}

/** A connection that was in use has ended, or the wire has closed for good (`willRetry: false`, once). */
export interface WireCloseEvent extends Event {
  /** The close code as the browser gave it; 1006 when the connection just broke, 0 when no connection had ended. */
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  readonly cause: Cause;
  readonly willRetry: boolean;
  /**
   * Milliseconds until the next attempt, as known when this fired, or null. A later `online`, `offline` or `reconnect()` may
   * change the wait.
   */
  readonly retryIn: number | null;
}

/** An attempt is scheduled. */
export interface ReconnectingEvent extends Event {
  /** The number of the attempt to come, from 1. */
  readonly attempt: number;
  /** Milliseconds until then, as known when this fired. A later `online`, `offline` or `reconnect()` may change the wait. */
  readonly delay: number;
  readonly cause: Cause;
  /** The close code that led here, or 0. */
  readonly code: number;
}

/**
 * A written message has been confirmed: the server sent it (or a later one) back, answered a heartbeat sent after it, completed
 * our own close, or sent a frame at least max(2 s, 4 × round trip) after it was written.
 */
export interface SettledEvent extends Event {
  readonly id: string;
  readonly messageType: string;
}

/** A message was not delivered, or nobody can know whether it was. Fires for every message that is not `settled`. */
export interface UndeliveredEvent extends Event {
  readonly id: string;
  readonly messageType: string;
  /** `in-doubt`: it was written and then the connection was lost. It is not sent again. */
  readonly reason: 'never-written' | 'in-doubt';
  readonly cause:
    | 'closed'
    | 'overflow'
    | 'aborted'
    | 'expired'
    | 'replaced'
    | 'lost'
    | 'in-doubt-overflow'
    | 'content'
    | 'too-large'
    | 'outbox-full'
    | 'binary-disabled'
    | 'core-died';
  /** The message itself, as it was when `send` was called. */
  readonly message: Envelope;
}

/**
 * Something went wrong that no promise tells. A failed handler and `core-died` go to `reportError`, or else the console, if
 * no listener was called.
 */
export interface WireErrorEvent extends Event {
  readonly error: EverwireError;
}

/** The lifecycle events of a wire. */
export interface WireEventMap {
  statechange: StateChangeEvent;
  open: OpenEvent;
  close: WireCloseEvent;
  reconnecting: ReconnectingEvent;
  settled: SettledEvent;
  undelivered: UndeliveredEvent;
  error: WireErrorEvent;
}

/** What a url or protocols function is given. */
export interface ProviderContext {
  /** The fresh token, if the option `token` is set. */
  readonly token: string | undefined;
}

/** `wss:`, `ws:`, `https:`, `http:` or relative to the page; or a function, asked before every dial. No fragment. */
export type UrlSource = string | URL | ((context: ProviderContext) => string | URL | Promise<string | URL>);

/** The token, or a function that is asked for one before every dial. */
export type TokenSource = string | (() => string | Promise<string>);

/** Subprotocols to offer, or a function, asked before every dial. */
export type ProtocolsSource =
  | string
  | readonly string[]
  | ((context: ProviderContext) => string | readonly string[] | null | undefined | Promise<string | readonly string[] | null | undefined>);

/** What everwire uses of a socket. The browser's, Node's and that of the package `ws` have it. */
export interface WebSocketLike {
  readonly readyState: number;
  binaryType: any;
  send(data: any): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: any, listener: any): void;
  removeEventListener(type: any, listener: any): void;
}

/** What a full outbox does. */
export type Overflow = 'reject' | 'drop-oldest' | 'drop-newest' | 'wait';

/** A token bucket. It belongs to the wire: a new connection gives no new allowance. */
export interface RateLimit {
  /** Messages a second in the long run: 0.001 – 1,000,000, of which three decimals count. */
  perSecond: number;
  /** Messages at once after a pause: 1 – 1,000,000, whole. Default: `perSecond`, rounded up. */
  burst?: number;
}

/** `details` holds codes, numbers and flags: no content, token, url, id or name. */
export interface Logger {
  debug(text: string, details: object): unknown;
  info(text: string, details: object): unknown;
  warn(text: string, details: object): unknown;
  error(text: string, details: object): unknown;
}

/** What a wire has done since it was made. Frozen; later calls give later figures. */
export interface WireStats<CauseName extends string = Cause> {
  readonly state: State;
  /** Smoothed, in milliseconds; null while none has been measured and when the wire is closed. */
  readonly roundTrip: number | null;
  /** Messages written for the first time, and their bytes. */
  readonly sent: { readonly messages: number; readonly bytes: number };
  /** Frames received, the messages in them, and the bytes they are. */
  readonly received: { readonly frames: number; readonly messages: number; readonly bytes: number };
  /** Messages that have been `settled`. */
  readonly settled: number;
  /** Messages that were `undelivered`. */
  readonly undelivered: number;
  /** Connections that have been in use. */
  readonly links: number;
  /** Attempts scheduled, by cause. */
  readonly reconnects: { readonly [Name in CauseName]?: number };
  /** What waits, senders that wait for room included, and how many written messages are not settled. */
  readonly outbox: { readonly messages: number; readonly bytes: number; readonly unsettled: number };
  /** Bytes in the socket's buffer. */
  readonly buffered: number;
}

export type Stats = WireStats;

/** Something that has happened to a wire. */
export interface RecentEvent {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The event's name, as in {@link WireEventMap}. */
  readonly name: string;
  /** Codes, numbers and flags. Of `undelivered` messages with the same reason and cause in a row, one entry says how many. */
  readonly details: { readonly [field: string]: string | number | boolean | null };
}

export interface MessagesOptions {
  /**
   * How many messages are kept until they are pulled: 1 – 65,536. Beyond that the oldest are dropped and `error`
   * (`iterator-full`) says so. In exactly-once it bounds casts alone; stored messages are held back at the server. Default 1,024.
   */
  buffer?: number;
  /** Ends the iterator when aborted; what has not been pulled is let go. */
  signal?: AbortSignal;
}

/** Checked at `connect()`: an unknown key or a value out of range throws a `TypeError` that names it. */
export interface Options {
  /** The guarantee. Here `'best-effort'`: any WebSocket server that speaks JSON. `'exactly-once'` is the entry `everwire/exactly-once`. Default `'best-effort'`. */
  delivery?: 'best-effort';
  /** Goes into the `sender` field of every message. Default none (`null`). */
  sender?: string;
  /**
   * Asked before every dial; a function that throws or never answers is a failed attempt. Offered as the last
   * subprotocol (so no space, comma or `=`), unless `url` or `protocols` is a function: that one then decides.
   */
  token?: TokenSource;
  /** Subprotocols to offer. Default none. */
  protocols?: ProtocolsSource;
  /** Whether `ArrayBuffer`s and views may be sent, and such frames are understood. Default `false`. */
  binary?: boolean;
  /** Milliseconds of silence after which a heartbeat goes out: 1,000 – 600,000, or 0 for none. Default 30,000. */
  heartbeatInterval?: number;
  /** Whether the server answers heartbeats; `'learn'` finds out. Default `'learn'`. */
  expectReply?: boolean | 'learn';
  /** Milliseconds the functions, and then the socket, may take: 1,000 – 120,000. Default 20,000. */
  connectTimeout?: number;
  /** Milliseconds `close()` waits for the outbox to empty: 0 – 60,000. Default 5,000. */
  closeTimeout?: number;
  /** The longest message in UTF-8 bytes, both ways: 1 – 67,108,864. Default 1,048,576. */
  maxMessageBytes?: number;
  /** Bytes in the socket's buffer above which nothing more is written: 16,384 – 1,073,741,824. Default 1,048,576. */
  highWaterBytes?: number;
  /** How fast messages may be written; the others wait in the outbox. Default: no limit. */
  rateLimit?: RateLimit;
  /** Told of what `recent()` keeps, as it happens; `console` will do. What it throws is ignored. Default none: silence. */
  logger?: Logger;
  reconnect?: {
    /** Milliseconds, the scale of the first delay: 10 – 30,000. Default 1,000. */
    delayMin?: number;
    /** Milliseconds, the longest delay: `delayMin` – 30,000. Default 30,000. */
    delayMax?: number;
    /** Growth per attempt: 1 – 10. Default 2. */
    factor?: number;
    /**
     * Retries in a row, after the first dial, before the wire closes: 1 – 2,147,483,647. A connection in use for less than
     * 10 s counts as one. Default `Infinity`.
     */
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

export interface SendOptions {
  /** The envelope's `receiver`. Default `null`. */
  to?: string | null;
  /** Added to the envelope's `meta`. */
  meta?: Meta;
  /** Milliseconds after which it is no longer worth writing: 1 – 2^53 − 1. What is written stays. Default none. */
  ttl?: number;
  /** Of the messages of a key that wait only the newest is kept, in the place of the first: cursors, game state. Default none. */
  key?: string;
  /** 0 – 255, whole; higher ones are written first. Default 0. */
  priority?: number;
  /** Takes the message back while it still waits. Once it is written, aborting does nothing. */
  signal?: AbortSignal;
  /**
   * The envelope's `id`. Default: a fresh one, unique and impossible to guess. Only those are recognised, and the
   * message settled at once, when the server sends it back.
   */
  id?: string;
}

export interface CloseOptions {
  /** 1000 or 3000 – 4999. Default 1000. */
  code?: number;
  /** Cut at 123 UTF-8 bytes, between characters. Default `''`. */
  reason?: string;
  /** Milliseconds to wait for the outbox to empty: 0 – 60,000. Default: the option `closeTimeout`. */
  timeout?: number;
  /** Gives up waiting when aborted, and closes. */
  signal?: AbortSignal;
}

/** One logical, long-lived connection. It survives any number of sockets. */
export interface Wire<Messages extends object = AnyMessages> extends EventTarget {
  readonly state: State;
  /** How many messages wait to be written. */
  readonly queued: number;
  /** How many bytes they are. */
  readonly queuedBytes: number;

  /**
   * Calls `handler` for every message of this type. A handler that throws or rejects is reported by `error`
   * (code `handler`); the others still run.
   * @returns a function that ends it.
   */
  on<Type extends MessageType<Messages>>(
    type: Type,
    handler: (message: Envelope<Type, Content<Messages, Type>>) => unknown,
  ): () => void;

  /**
   * The messages of this type from now on, for `for await`. Leaving the loop ends it; when the wire closes it ends after what had
   * come. What is not pulled is kept up to {@link MessagesOptions.buffer}.
   */
  messages<Type extends MessageType<Messages>>(
    type: Type, options?: MessagesOptions,
  ): AsyncIterableIterator<Envelope<Type, Content<Messages, Type>>> & AsyncDisposable;

  /** Figures about this wire, for dashboards and bug reports. Cheap. */
  stats(): Stats;

  /** The last 200 events, oldest first: without contents, tokens, urls, ids and names. */
  recent(): RecentEvent[];

  /**
   * Sends a message, now or as soon as there is a connection, in order. The bytes are taken at once: changing
   * `content` later has no effect.
   *
   * Never throws. Resolves when it is written. Rejects with an {@link EverwireError} (`closed`, `content`, `too-large`,
   * `outbox-full`, `aborted`, `expired`, `replaced`, `binary-disabled`, `core-died`), and `undelivered` fires. You may ignore the promise: it never
   * becomes an unhandled rejection.
   */
  send<Type extends MessageType<Messages>>(
    type: Type,
    content: Sendable<Content<Messages, Type>>,
    options?: SendOptions,
  ): Promise<Receipt>;

  /**
   * Writes what waits, then closes for good. Resolves when it is closed, and never rejects. A second call can only shorten
   * the time: the code and reason of the first count.
   * @throws TypeError at once, if an option is out of range; nothing has changed then.
   */
  close(options?: CloseOptions): Promise<void>;

  /**
   * Dials now: instead of the scheduled attempt, or in place of the present connection. It changes the state: called on
   * every `statechange`, it loops.
   */
  reconnect(): void;

  addEventListener<Name extends keyof WireEventMap>(
    name: Name,
    listener: ((this: this, event: WireEventMap[Name]) => unknown) | { handleEvent(event: WireEventMap[Name]): unknown } | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof WireEventMap>(
    name: Name,
    listener: ((this: this, event: WireEventMap[Name]) => unknown) | { handleEvent(event: WireEventMap[Name]): unknown } | null,
    options?: boolean | EventListenerOptions,
  ): void;

  /** `await using wire = connect(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a wire. Synchronous, and never throws for a network reason: the wire works at once, offline too.
 *
 * ```ts
 * type Messages = { text: string; typing: boolean };
 * const wire = connect<Messages>('wss://example.com/chat', { sender: 'user_123' });
 * wire.on('text', (message) => show(message.content));
 * await wire.send('text', 'hello', { to: 'room_456' });
 * ```
 * @throws {TypeError} for an unknown option or one out of range; the message names it and the range.
 * @throws {ConnectError} a `TypeError` with code `connect`: an invalid url or subprotocol, `ws:` on an https page (other
 * than to the machine itself), no WebSocket to be had, or a Content-Security-Policy without `'wasm-unsafe-eval'`.
 */
export function connect<Messages extends object = AnyMessages>(url: UrlSource, options?: Options): Wire<Messages>;
