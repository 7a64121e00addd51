import type { IncomingMessage, Server as HttpServer } from 'node:http';

/** A value, or a promise of it. A promise may take 10 s. */
type Awaitable<T> = T | Promise<T>;

/**
 * Who somebody is:
 * - `identity` begins with one of the option `identities`; `expires`: the credential must have been renewed in so many ms
 * - `anonymous`: an identity of his own, derived from his connection's secret
 * - `forbidden`: known, and not welcome: his client gives up (4403)
 * - nothing: his credential is refused (4401); his client asks its `token` option once more
 */
export type Who =
  | { identity: string; expires?: number; anonymous?: never; forbidden?: never }
  | { anonymous: true; forbidden?: never }
  | { forbidden: true; anonymous?: never }
  | null | undefined | false;

export interface Credential {
  /** Of the connection, as the option `address` gives it. */
  readonly address: string;
  /** Whether it renews the credential of a living connection. */
  readonly renewal: boolean;
  /** The request that the WebSocket began with. */
  readonly request: IncomingMessage;
}

export interface Entry {
  readonly identity: string;
  readonly room: string;
  /** `join`: be sent what is stored from now on; `page`: read what was stored before. */
  readonly access: 'join' | 'page';
}

/** Yes, no, no for a reason (lower-case letters, digits, hyphens), or yes from a position of the log on. */
export type Permit = boolean | { denied: string } | { since: number };

export interface Message {
  /** The envelope's type and content. */
  readonly type: string;
  readonly content: unknown;
  /** The content of a binary message. */
  readonly bytes: Uint8Array | undefined;
  /** The whole envelope; of a binary message without its content. */
  readonly envelope: Readonly<Record<string, unknown>>;
  readonly sender: string;
  /** A room or an identity. Null for a request, and where the message does not say. */
  readonly receiver: string | null;
  /** It will be stored, answered by a handler, or passed on and forgotten. */
  readonly kind: 'message' | 'request' | 'cast';
}

/** Nothing: it passes. `refuse`: its sender is told this code. `receiver`: it goes there. */
export type Verdict = void | null | undefined | { refuse: string } | { receiver: string };

export interface Asking {
  readonly sender: string;
  readonly bytes: Uint8Array | undefined;
  readonly envelope: Readonly<Record<string, unknown>>;
}

/** Answers a request with a content. What is thrown reaches the client as `code` and `message`. It runs at most once a request. */
export type Handler = (content: any, asking: Asking) => unknown;

export interface ServerOptions {
  /** Lets everybody without a token in, under an identity of his own. Instead of `authenticate`. */
  anonymous?: boolean;
  /** Who somebody is, by the token of his client's option `token`. What throws, or takes more than 10 s, has failed: the client comes back. */
  authenticate?: (token: string | null, credential: Credential) => Awaitable<Who>;
  /** What an identity may do with a room; asked again at every reconnection. Default: everything. */
  authorize?: (entry: Entry) => Awaitable<Permit>;
  /** What becomes of a message; runs before it is stored, at least once for each. Default: all pass. */
  onMessage?: (message: Message) => Awaitable<Verdict>;
  /** Who answers requests, by their type. */
  handlers?: Record<string, Handler>;
  /** Origins of the pages that may connect, such as `https://example.com`, or `*`. What is no browser may always. Default: none. */
  origins?: string[];
  /** A subject that begins with one of these is an identity, every other a room. Default `['user_', 'anon_']`. */
  identities?: string[];
  /** The path of the WebSocket. Default `/`. */
  path?: string;
  /** The address that limits count by, behind a proxy that you trust for instance its `x-forwarded-for`. Default: the socket's. */
  address?: (request: IncomingMessage) => string;
  /** The server pings after so much silence, ms. 5,000 – 300,000, default 25,000. */
  heartbeat?: number;
  /** Clients are asked to come back spread over so much time, ms. 1,000 – 600,000, default 10,000. */
  window?: number;
  /** How long a handler may run, ms. 1 – 3,600,000, default 30,000. */
  handlerTimeout?: number;
  /** A message whose `onMessage` fails three times is refused as `failed`, instead of ending the connection. Default false. */
  failureIsFinal?: boolean;
  /** Bytes of one message. 1,024 – 67,108,864, default 1,048,576. */
  maxMessageBytes?: number;
  /** Rooms of one connection. 1 – 256, default 256. */
  maxRooms?: number;
  /** Messages a second of one connection, beyond a burst of 32,768; more wait in the client. Default 10,000. */
  messagesPerSecond?: number;
  /** What the log keeps: messages (100,000), bytes (67,108,864), ms (24 h). Beyond it the oldest goes, and who has not read it is told `lost`. */
  log?: { maxMessages?: number; maxBytes?: number; maxAge?: number };
  /**
   * What a client may have missed of one room when it comes back: messages (100,000), bytes (67,108,864). Of more it is told `lost`, and
   * loads the room afresh. Direct messages have no such limit.
   */
  backlog?: { maxMessages?: number; maxBytes?: number };
  /** Clients on record. Default 100,000, three quarters of them for anonymous ones; the least recently used go. */
  maxProducers?: number;
  /** Of one identity. Default 1,000. */
  maxProducersPerIdentity?: number;
  /** Connections at a time. Default 100,000. */
  maxConnections?: number;
  /** Of one address (IPv6: one /64). Default 10,000. */
  maxConnectionsPerAddress?: number;
  /** Of one address, such as have not been let in yet. Default 256. */
  maxGreetingPerAddress?: number;
  /** New connections a second of one address, beyond a burst of five times as many. Default 50. */
  connectsPerSecond?: number;
}

export interface ServeOptions extends ServerOptions {
  /** 0 takes a free one. Default 0. */
  port?: number;
  /** Default `127.0.0.1`. */
  host?: string;
}

export interface DrainOptions {
  /** Clients are served for so much longer, ms. 0 – 600,000, default 5,000. */
  leaveIn?: number;
  /** They come back over so much time, ms. Default: the server's `window`. */
  window?: number;
  /** For people. Default `shutdown`. */
  reason?: string;
}

/** Totals since the start; `linksOpen` and `subjectsRead` (rooms and identities that somebody reads) are of now. */
export interface Counts {
  readonly linksOpen: number;
  readonly subjectsRead: number;
  readonly links: number;
  readonly linksWelcomed: number;
  readonly closedBroken: number;
  readonly closedOtherwise: number;
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly messagesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  readonly messagesOut: number;
  readonly requests: number;
}

export interface ServerErrorEvent extends Event {
  /** What a hook has thrown, or why the server has stopped. */
  readonly error: unknown;
}

/** A server for `everwire/exactly-once`, its log in memory. */
export interface Server extends EventTarget {
  /** Where it listens, if `serve` has started it. */
  readonly url: string | undefined;
  readonly counts: Counts;
  /** A message of the server itself, to a room or an identity: stored, and in the order of the calls; without a sender. */
  post(receiver: string, type: string, content: unknown): void;
  /** An identity may no longer read a room: its clients are told. `authorize` must keep it from coming back. */
  revoke(identity: string, room: string): void;
  /** Closes every connection of an identity. Default 4403: its clients give up. */
  expel(identity: string, code?: number, reason?: string): void;
  /** Discards what is stored of a room or an identity. Who has not read it is told `lost`. */
  trim(subject: string): void;
  /** Tells all clients to leave, and resolves when they have left and all requests are answered. What `serve` has started stops listening then. */
  drain(options?: DrainOptions): Promise<void>;
  /** The same at once. */
  close(options?: Omit<DrainOptions, 'leaveIn'>): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  addEventListener(type: 'error', listener: (event: ServerErrorEvent) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/** Starts a server with an HTTP server of its own, which also answers `/healthz`; resolves once it listens. */
export function serve(options: ServeOptions): Promise<Server>;

/** Serves WebSockets at `path` of an HTTP server that you have. Requests for other paths are left to you. */
export function attach(http: HttpServer, options: ServerOptions): Server;
