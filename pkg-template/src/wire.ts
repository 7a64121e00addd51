// The wire as JavaScript sees it: promises, events and the ticket → message map. No protocol and no policy.
import type {
  CloseOptions, Envelope, ErrorCode, MessagesOptions, Options, Receipt, RecentEvent, SendOptions, Stats, UndeliveredEvent, UrlSource, WireEventMap,
} from '../types/index.js';
import { utf8Cut, utf8Length } from './bytes.ts';
import * as codes from './codes.ts';
import type { Exports, Host } from './contract.ts';
import { targetSource } from './dial.ts';
import { compose, decodeOwn, encode, type Frame, heartbeatFrame, type Ids, idSource, inspect } from './envelope.ts';
import { EverwireError, report } from './errors.ts';
import { Announcer, asyncDispose, noop, onAbort } from './events.ts';
import { addHandler, type Handler, type Handlers } from './handlers.ts';
import { acquire, type Instance } from './instance.ts';
import { Keys } from './keys.ts';
import { frozen, Monitor } from './monitor.ts';
import { check, checkSignal, fail, type Settings, timeout, waitOptions, within } from './options.ts';
import { abandon, transmit } from './socket.ts';
import { Streams } from './streams.ts';
import { deny, type Told, told } from './told.ts';

/** A message on its way. The frame is all that is kept of the content: whoever needs it parses it again. */
interface Kept {
  id: string;
  type: string;
  frame: Frame;
  bytes: number;
  key: string | undefined;
  signal: AbortSignal | undefined;
  /** Until it is written: what is kept for minutes is to be small. */
  told: Told<Receipt> | undefined;
  unhook(): void;
}

type Fields<Name extends keyof WireEventMap> = Omit<WireEventMap[Name], keyof Event>;

const CLOSED = 5;
/** What a message without options has. */
const UNHURRIED = /* @__PURE__ */ waitOptions(undefined);
/** RFC 6455: a close frame has room for 125 bytes, and the code takes two. */
const REASON_MAX_BYTES = 123;
/** Messages an iterator keeps until they are pulled. */
const UNPULLED_MAX = 1024;
/** Told by methods of their own, or of every message. */
const UNNOTED = new Set(['settled', 'undelivered', 'error']);

export class Wire extends Announcer {
  #settings: Settings;
  #instance: Instance;
  /** 0 as soon as the core no longer knows this wire. */
  #handle = 0;
  #state = 0;
  /** The dial whose answer is still wanted, or 0. */
  #link = 0;
  #socket: WebSocket | undefined;
  #token: string | undefined;
  #target: ReturnType<typeof targetSource>;
  #ids: Ids;
  #kept = new Map<number, Kept>();
  #keys = new Keys();
  #monitor: Monitor;
  #streams = new Streams<Envelope>();
  #lastTicket = 0;
  #queued = 0;
  #queuedBytes = 0;
  #handlers: Handlers<Handler<Envelope>> = new Map();
  /** The application called `close()`. */
  #left = false;
  /** The last `close` event is out or queued. */
  #over = false;
  #unhooks: (() => void)[] = [];
  #resolveClosed!: () => void;
  #closed = new Promise<void>((resolve) => (this.#resolveClosed = resolve));

  constructor(compile: () => WebAssembly.Module, url: UrlSource, options?: Options) {
    super();
    this.#settings = check(options);
    this.#target = targetSource(url, this.#settings);
    this.#monitor = new Monitor(this.#settings.logger, (task) => this.#queue(task));
    this.#instance = acquire(compile);
    const random = crypto.getRandomValues(new Uint32Array(5));
    this.#ids = idSource(random.subarray(2));
    this.#instance.wires.add(this.#coreDied);
    const config = Float64Array.of(random[0]!, random[1]!, ...this.#settings.config);
    this.#handle = this.#instance.call('wire_create', this.#host(), config) ?? 0;
    const { signal } = this.#settings;
    const closeNow = () => void this.close({ timeout: 0 });
    if (signal?.aborted) closeNow();
    else {
      this.#unhooks.push(onAbort(signal, closeNow));
      this.#call('wire_connect');
    }
  }

  get state() {
    return codes.state[this.#state]!;
  }

  get queued() {
    return this.#queued;
  }

  get queuedBytes() {
    return this.#queuedBytes;
  }

  on(type: string, fn: (message: Envelope) => unknown): () => void {
    return addHandler(this.#handlers, type, { fn });
  }

  messages(type: string, options?: MessagesOptions | null): AsyncIterableIterator<Envelope> {
    const max = within('buffer', options?.buffer, UNPULLED_MAX, 1, 65_536);
    return this.#streams.open((fn) => this.on(type, fn), () => false, max, options, () => this.#error(new EverwireError('iterator-full')));
  }

  stats(): Stats {
    const [messages, bytes] = [this.#queued, this.#queuedBytes];
    return frozen({
      state: this.state,
      roundTrip: this.#call('wire_round_trip') || null,
      ...this.#monitor.counts(),
      outbox: { messages, bytes, unsettled: this.#kept.size - messages },
      buffered: this.#socket?.bufferedAmount ?? 0,
    }) as Stats;
  }

  recent(): RecentEvent[] {
    return this.#monitor.recent();
  }

  /** A closure in here would cost every message a context of its own. */
  send(type: string, content: unknown, options?: SendOptions | null): Promise<Receipt> {
    const ticket = this.#nextTicket();
    const ends = told<Receipt>();
    let id = this.#ids.next(ticket);
    let to: string | null = null;
    let meta: SendOptions['meta'];
    let signal: SendOptions['signal'];
    const max = this.#settings.maxMessageBytes;
    let envelope: Envelope | undefined;
    let frame: Frame;
    let wait = UNHURRIED;
    try {
      if (options) ({ to = null, meta, signal, id = id } = options);
      envelope = compose(id, type, this.#settings.sender, to, content, meta);
      if (signal) checkSignal(signal);
      if (options) wait = waitOptions(options);
      frame = encode(envelope, this.#settings.binary, max);
    } catch (error) {
      const told = error instanceof EverwireError ? error : new EverwireError('content', undefined, error);
      return this.#refuse(ends, envelope ?? { id, type, content }, told);
    }
    // A string has at least as many bytes as units: what is too long need not be measured.
    const bytes = frame.length > max || typeof frame !== 'string' ? frame.length : utf8Length(frame);
    let refused: ErrorCode | undefined = signal?.aborted ? 'aborted' : bytes > max ? 'too-large' : !this.#handle ? 'closed' : undefined;
    if (refused) return this.#refuse(ends, envelope, new EverwireError(refused, undefined, signal?.reason), frame);
    const { priority, key, ttl } = wait;
    const kept: Kept = { id, type, frame, bytes, key, signal, told: ends, unhook: noop };
    const number = this.#keep(ticket, kept);
    refused = codes.refusal[this.#call('wire_submit', ticket, bytes, priority, number, ttl)! - 1];
    if (refused) {
      this.#forget(ticket);
      return this.#refuse(ends, envelope, new EverwireError(refused), frame);
    }
    if (signal && kept.told && this.#kept.has(ticket)) this.#abortable(ticket, kept, signal);
    return ends.promise;
  }

  close(options?: CloseOptions | null): Promise<void> {
    const { code = 1000, reason = '', timeout: drain, signal } = options ?? {};
    if (code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) fail('code', '1000 or 3000 – 4999', code);
    if (typeof reason !== 'string') fail('reason', 'a string', reason);
    if (signal) checkSignal(signal);
    const drainMs = timeout('timeout', drain, this.#settings.closeTimeout);
    const cut = utf8Cut(reason, REASON_MAX_BYTES);
    this.#left = true;
    this.#call('wire_close', code, cut, signal?.aborted ? 0 : drainMs);
    // A second call with no time left ends the first.
    if (this.#handle) this.#unhooks.push(onAbort(signal, () => this.#call('wire_close', code, cut, 0)));
    return this.#closed;
  }

  reconnect(): void {
    this.#call('wire_reconnect');
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What Rust calls. Nothing in here throws or runs user code. */
  #host(): Host {
    return {
      dial: (link) => {
        this.#link = link;
        this.#queue(() => void this.#dial(link));
      },
      write: (socket, ticket) => {
        const kept = this.#kept.get(ticket);
        if (!kept || !transmit(socket, kept.frame)) return false;
        const { told } = kept;
        if (told) {
          this.#leaveQueue(kept);
          this.#monitor.wrote(kept.bytes);
          told.resolve({ level: 'written', durable: false, id: kept.id });
        }
        return true;
      },
      beat: (socket) => transmit(socket, heartbeatFrame),
      inspect: (data) => {
        const found = inspect(data, this.#settings.binary, this.#settings.maxMessageBytes);
        this.#monitor.read(Math.floor(found.code / 4));
        this.#monitor.received.messages += found.messages.length;
        found.messages.forEach(this.#echoed, this);
        if (found.messages.length) this.#instance.queueMessage(() => found.messages.forEach(this.#deliver, this));
        if (found.error) this.#error(new EverwireError(found.error));
        return found.code;
      },
      settled: (ticket) => {
        const kept = this.#forget(ticket);
        if (kept) this.#monitor.settled++;
        if (kept && this.hears('settled')) this.#emit('settled', () => ({ id: kept.id, messageType: kept.type }));
      },
      dropped: (ticket, reason) => {
        const name = codes.reason[reason]!;
        const error = name === 'overflow' ? 'outbox-full' : name === 'in-doubt' ? 'closed' : name;
        this.#lose(ticket, reason >= codes.IN_DOUBT, name === 'in-doubt' ? 'lost' : name, error);
      },
      state: (state) => this.#setState(state),
      opened: (link, attempts) => this.#emit('open', () => ({ link, attempts })),
      ended: (_link, cause, code, reason, wasClean, retryMs) => {
        this.#socket = undefined;
        const name = codes.cause[cause]!;
        const willRetry = retryMs >= 0;
        if (!willRetry) {
          this.#over = true;
          if (name === 'auth-refused' || name === 'max-attempts') this.#error(new EverwireError(name));
        }
        this.#emit('close', () => ({ code, reason, wasClean, cause: name, willRetry, retryIn: willRetry ? retryMs : null }));
      },
      reconnecting: (attempt, delay, cause, code) => {
        this.#link = 0;
        const name = codes.cause[cause]!;
        // Of all failures of a function only this one is not told by the dial: it never came back.
        if (name === 'provider-timeout') this.#error(new EverwireError('provider', 'no answer in time'));
        this.#emit('reconnecting', () => ({ attempt, delay, cause: name, code }));
      },
      error: (code) => this.#error(new EverwireError(codes.notice[code]!)),
    };
  }

  /** Asks the user's functions and makes the socket. After every wait the answer may no longer be wanted. */
  async #dial(link: number): Promise<void> {
    const stale = () => this.#link !== link;
    let socket: WebSocket;
    let tokenChanged: boolean;
    try {
      const target = await this.#target(stale);
      if (!target || stale()) return;
      socket = new this.#settings.WebSocket(target.url, target.protocols);
      socket.binaryType = 'arraybuffer';
      tokenChanged = target.token !== this.#token;
      this.#token = target.token;
    } catch (error) {
      if (stale()) return;
      // What the constructor throws quotes the url or the subprotocol: only its name goes on.
      const own = error instanceof EverwireError;
      this.#error(own ? error : new EverwireError('connect', String((error as Error)?.name)));
      this.#call('wire_dial_failed', link);
      return;
    }
    this.#socket = socket;
    this.#call('wire_dialled', link, socket, tokenChanged);
  }

  #deliver(message: Envelope): void {
    // Whoever closed at once, in a handler of the same batch perhaps, wants no more.
    if (this.#left && this.#state === CLOSED) return;
    const failed = (error: unknown) => this.#error(new EverwireError('handler', undefined, error), () => report(error));
    for (const handler of this.#handlers.get(message.type) ?? []) {
      try {
        const result = handler.fn?.(message);
        if (result instanceof Promise) result.catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  }

  #nextTicket(): number {
    do {
      this.#lastTicket = (this.#lastTicket + 1) >>> 0;
    } while (this.#kept.has(this.#lastTicket));
    return this.#lastTicket;
  }

  /** Before the core hears of it: it may ask for the bytes within the same call. Answers the number of its key. */
  #keep(ticket: number, kept: Kept): number {
    this.#kept.set(ticket, kept);
    this.#queued++;
    this.#queuedBytes += kept.bytes;
    return this.#keys.use(kept.key);
  }

  /** A server that forwards to everybody sends our own messages back: it has read what it returns. */
  #echoed({ id }: Envelope): void {
    const ticket = this.#ids.ticketOf(id);
    const kept = ticket === undefined ? undefined : this.#kept.get(ticket);
    if (kept && !kept.told && kept.id === id) this.#call('wire_echoed', ticket!);
  }

  #leaveQueue(kept: Kept): void {
    kept.told = undefined;
    kept.unhook();
    this.#keys.free(kept.key);
    this.#queued--;
    this.#queuedBytes -= kept.bytes;
  }

  #forget(ticket: number): Kept | undefined {
    const kept = this.#kept.get(ticket);
    this.#kept.delete(ticket);
    if (kept?.told) this.#leaveQueue(kept);
    return kept;
  }

  #abortable(ticket: number, kept: Kept, signal: AbortSignal): void {
    kept.unhook = onAbort(signal, () => this.#call('wire_abort', ticket));
  }

  /** What never came to be a message in the outbox: `frame` if it came so far. */
  #refuse(ends: Told<Receipt>, envelope: Envelope, error: EverwireError, frame?: Frame): Promise<Receipt> {
    deny(ends, error);
    const message = () => (frame === undefined ? envelope : decodeOwn(frame));
    this.#undelivered(envelope.id as string, envelope.type, 'never-written', error.code as UndeliveredEvent['cause'], message);
    return ends.promise;
  }

  /** A ticket leaves without being settled. */
  #lose(ticket: number, inDoubt: boolean, cause: UndeliveredEvent['cause'], code: ErrorCode, reason?: unknown): void {
    const told = this.#kept.get(ticket)?.told;
    const kept = this.#forget(ticket);
    if (!kept) return;
    if (told) deny(told, new EverwireError(code, undefined, code === 'aborted' ? kept.signal?.reason : reason));
    this.#undelivered(kept.id, kept.type, inDoubt ? 'in-doubt' : 'never-written', cause, () => decodeOwn(kept.frame));
  }

  #undelivered(
    id: string, messageType: string, reason: UndeliveredEvent['reason'], cause: UndeliveredEvent['cause'], message: () => Envelope,
  ): void {
    this.#monitor.undelivered(reason, cause);
    this.#emit('undelivered', () => ({ id, messageType, reason, cause, message: message() }));
  }

  #setState(state: number): void {
    this.#state = state;
    this.#emit('statechange', () => ({ state: codes.state[state]! }));
    if (state !== CLOSED) return;
    this.#link = 0;
    this.#queue(() => this.#finish());
  }

  /** The core has nothing more to say. */
  #finish(): void {
    this.#call('wire_free');
    this.#handle = 0;
    this.#socket = undefined;
    this.#instance.wires.delete(this.#coreDied);
    this.#streams.end();
    for (const unhook of this.#unhooks.splice(0)) unhook();
    this.#resolveClosed();
  }

  #coreDied = (cause: unknown): void => {
    this.#handle = 0;
    abandon(this.#socket);
    for (const [ticket, kept] of this.#kept) this.#lose(ticket, !kept.told, 'core-died', 'core-died', cause);
    if (this.#state !== CLOSED) this.#setState(CLOSED);
    if (this.#over) return;
    this.#over = true;
    const error = new EverwireError('core-died', undefined, cause);
    this.#error(error, () => report(error));
    this.#emit('close', () => ({ code: 1006, reason: '', wasClean: false, cause: 'core-died' as const, willRetry: false, retryIn: null }));
  };

  #error(error: EverwireError, missed?: () => void): void {
    this.#monitor.failed(error.code);
    this.#emit('error', () => ({ error }), missed);
  }

  /** Queues an event; it is made only if someone has ever listened. `missed` runs if nobody got it. */
  #emit<Name extends keyof WireEventMap>(name: Name, fields: () => Fields<Name>, missed?: () => void): void {
    if (!UNNOTED.has(name)) this.#monitor.note(name, fields());
    this.#queue(() => this.announce(name, fields, missed));
  }

  #queue(task: () => void): void {
    this.#instance.queue(task);
  }

  /** Calls an export with this wire's handle, unless the core no longer knows it. */
  #call<Name extends keyof Exports>(
    name: Name, ...args: Parameters<Exports[Name]> extends [number, ...infer Rest] ? Rest : never
  ): ReturnType<Exports[Name]> | undefined {
    return this.#handle ? (this.#instance as any).call(name, this.#handle, ...args) : undefined;
  }
}
