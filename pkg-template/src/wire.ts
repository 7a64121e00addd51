// The wire as JavaScript sees it: promises, events and the ticket → message map. No protocol and no policy.
import type {
  CloseOptions, Envelope, ErrorCode, MessagesOptions, Options, Receipt, RecentEvent, SendOptions, Stats, UndeliveredEvent, UrlSource, WireEventMap,
} from '../types/index.js';
import { utf8Cut, utf8Length } from './bytes.ts';
import * as codes from './codes.ts';
import type { Exports, Host } from './contract.ts';
import { targetSource } from './dial.ts';
import { compose, decodeOwn, encode, type Frame, frameBytes, heartbeatFrame, type Ids, idSource, inspect } from './envelope.ts';
import { EverwireError, report } from './errors.ts';
import { Announcer, asyncDispose, noop, onAbort, refused } from './events.ts';
import { addHandler, type Handler, type Handlers } from './handlers.ts';
import { acquire, type Instance } from './instance.ts';
import { Keys } from './keys.ts';
import { frozen, Monitor } from './monitor.ts';
import { check, checkSignal, fail, type Settings, timeout, waitOptions, within } from './options.ts';
import { abandon, transmit } from './socket.ts';
import { Streams } from './streams.ts';
import { ticketSource } from './tickets.ts';

/** A message on its way. The frame is all that is kept of the content: whoever needs it parses it again. */
interface Kept {
  id: string;
  type: string;
  frame: Frame;
  bytes: number;
  key: string | undefined;
  written: boolean;
  signal: AbortSignal | undefined;
  /** What it came to within the call that sends it, or what its sender waits for. */
  promise: Promise<Receipt> | undefined;
  resolve: ((receipt: Receipt) => void) | undefined;
  reject: ((error: unknown) => void) | undefined;
  unhook(): void;
}

type Fields<Name extends keyof WireEventMap> = Omit<WireEventMap[Name], keyof Event>;

const CLOSED = 5;
/** RFC 6455: a close frame has room for 125 bytes, and the code takes two. */
const REASON_MAX_BYTES = 123;
/** Messages an iterator keeps until they are pulled. */
const UNPULLED_MAX = 1024;

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
  #nextTicket = ticketSource((ticket) => this.#kept.has(ticket));
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

  send(type: string, content: unknown, options?: SendOptions | null): Promise<Receipt> {
    const ticket = this.#nextTicket();
    const max = this.#settings.maxMessageBytes;
    let id = this.#ids.next(ticket);
    let to, meta, signal: SendOptions['signal'];
    let envelope: Envelope = { id, type, content };
    let frame: Frame | undefined;
    let wait: ReturnType<typeof waitOptions>;
    let bytes: number;
    try {
      ({ to = null, meta, signal, id = id } = options ?? {});
      envelope = compose(id, type, this.#settings.sender, to, content, meta);
      if (signal) checkSignal(signal);
      wait = waitOptions(options);
      frame = encode(envelope, this.#settings.binary, max);
      // A string has at least as many bytes as units: what is too long need not be measured.
      bytes = frame.length > max || typeof frame !== 'string' ? frame.length : utf8Length(frame);
      if (bytes > max) throw new EverwireError('too-large');
      if (!this.#handle) throw new EverwireError('closed');
      if (signal?.aborted) throw new EverwireError('aborted', undefined, signal.reason);
    } catch (thrown) {
      const error = thrown instanceof EverwireError ? thrown : new EverwireError('content', undefined, thrown);
      this.#undelivered(id, type, 'never-written', error.code as UndeliveredEvent['cause'], frame ?? envelope);
      return refused(error);
    }
    const { priority, key, ttl } = wait;
    const kept: Kept = {
      id, type, frame, bytes, key, written: false, signal, promise: undefined, resolve: undefined, reject: undefined, unhook: noop,
    };
    const number = this.#keep(ticket, kept);
    const refusal = this.#call('wire_submit', ticket, bytes, priority, number, ttl);
    if (refusal) {
      const code = codes.refusal[refusal - 1]!;
      this.#lose(ticket, false, code, code);
    }
    // A promise that has its answer from the start needs no functions to give it one.
    if (kept.promise) return kept.promise;
    return this.#wait(ticket, kept);
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
        if (!kept.written) {
          this.#leaveQueue(kept);
          this.#monitor.wrote(kept.bytes);
          const receipt: Receipt = { level: 'written', durable: false, id: kept.id };
          if (kept.resolve) kept.resolve(receipt);
          else kept.promise = Promise.resolve(receipt);
        }
        return true;
      },
      beat: (socket) => transmit(socket, heartbeatFrame),
      listener: (link) => this.#instance.guard(({ data }: MessageEvent) => this.#arrived(link, data)),
      settled: (ticket) => {
        const kept = this.#forget(ticket);
        if (kept) this.#monitor.settled++;
        if (kept && this.hears('settled')) this.#tell('settled', () => ({ id: kept.id, messageType: kept.type }));
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

  /** A frame. Runs within the guard, so what it throws would be the end of the instance. */
  #arrived(link: number, data: unknown): void {
    const { binary, maxMessageBytes } = this.#settings;
    const bytes = frameBytes(data, maxMessageBytes);
    this.#monitor.read(bytes);
    const kind = bytes > maxMessageBytes ? codes.TOO_LARGE : inspect(data, binary, this.#take);
    if (kind >= codes.INVALID) this.#error(new EverwireError(kind > codes.INVALID ? 'too-large' : 'malformed-frame'));
    this.#instance.glue.wire_frame(this.#handle, link, kind);
  }

  /** A message of the frame in hand; handlers get it once the core knows of the frame. */
  #take = (message: Envelope): void => {
    this.#monitor.received.messages++;
    this.#echoed(message);
    this.#instance.queueMessage(this.#deliver, message);
  };

  #deliver = (message: Envelope): void => {
    // Whoever closed at once, in a handler of the same batch perhaps, wants no more.
    if (this.#left && this.#state === CLOSED) return;
    for (const handler of this.#handlers.get(message.type) ?? []) {
      try {
        const result = handler.fn?.(message);
        if (result instanceof Promise) result.catch(this.#failed);
      } catch (error) {
        this.#failed(error);
      }
    }
  };

  /** A handler has thrown, or its promise was rejected. */
  #failed = (error: unknown): void => this.#error(new EverwireError('handler', undefined, error), () => report(error));

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
    if (kept?.written && kept.id === id) this.#call('wire_echoed', ticket!);
  }

  /** What the sender of a message that waits is given. Not within `send`, which would pay for the functions with every message. */
  #wait(ticket: number, kept: Kept): Promise<Receipt> {
    kept.unhook = onAbort(kept.signal, () => this.#call('wire_abort', ticket));
    return (kept.promise = new Promise((resolve, reject) => {
      kept.resolve = resolve;
      kept.reject = reject;
    }));
  }

  #leaveQueue(kept: Kept): void {
    kept.written = true;
    kept.unhook();
    this.#keys.free(kept.key);
    this.#queued--;
    this.#queuedBytes -= kept.bytes;
  }

  #forget(ticket: number): Kept | undefined {
    const kept = this.#kept.get(ticket);
    this.#kept.delete(ticket);
    if (kept && !kept.written) {
      this.#leaveQueue(kept);
      kept.written = false;
    }
    return kept;
  }

  /** A ticket leaves without being settled. */
  #lose(ticket: number, inDoubt: boolean, cause: UndeliveredEvent['cause'], code: ErrorCode, reason?: unknown): void {
    const kept = this.#forget(ticket);
    if (!kept) return;
    if (!kept.written) {
      const error = new EverwireError(code, undefined, code === 'aborted' ? kept.signal?.reason : reason);
      if (kept.reject) {
        // Only now: of those that are written each would have a second promise for nothing.
        kept.promise!.catch(noop);
        kept.reject(error);
      } else kept.promise = refused(error);
    }
    this.#undelivered(kept.id, kept.type, inDoubt ? 'in-doubt' : 'never-written', cause, kept.frame);
  }

  #undelivered(
    id: string, messageType: string, reason: UndeliveredEvent['reason'], cause: UndeliveredEvent['cause'], message: Frame | Envelope,
  ): void {
    this.#monitor.undelivered(reason, cause);
    // One function a message: of a burst that nobody confirms most come here.
    this.#queue(() => this.announce('undelivered', () => ({ id, messageType, reason, cause, message: decodeOwn(message) })));
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
    for (const [ticket, kept] of this.#kept) this.#lose(ticket, kept.written, 'core-died', 'core-died', cause);
    if (this.#state !== CLOSED) this.#setState(CLOSED);
    if (this.#over) return;
    this.#over = true;
    const error = new EverwireError('core-died', undefined, cause);
    this.#error(error, () => report(error));
    this.#emit('close', () => ({ code: 1006, reason: '', wasClean: false, cause: 'core-died' as const, willRetry: false, retryIn: null }));
  };

  #error(error: EverwireError, missed?: () => void): void {
    this.#monitor.failed(error.code);
    this.#tell('error', () => ({ error }), missed);
  }

  /** Notes an event and queues it. */
  #emit<Name extends keyof WireEventMap>(name: Name, fields: () => Fields<Name>): void {
    this.#monitor.note(name, fields());
    this.#tell(name, fields);
  }

  /** Queues an event; it is made only if someone has ever listened. `missed` runs if nobody got it. */
  #tell<Name extends keyof WireEventMap>(name: Name, fields: () => Fields<Name>, missed?: () => void): void {
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
