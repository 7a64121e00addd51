// The wire of `exactly-once` as JavaScript sees it: promises, events, rooms, and the payloads by ticket and delivery. No
// protocol and no policy.
import type {
  CloseOptions, HistoryOptions, HistoryPage, RequestOptions, SessionEnvelope, SessionErrorCode, SessionEventMap, SessionOptions,
  SessionStats,  SessionReceipt, SessionSendOptions, UndeliveredReason,
} from '../../types/exactly-once.js';
import type { MessagesOptions, RecentEvent, UrlSource } from '../../types/index.js';
import { compose, decodeOwn, encode, type Frame, type Ids, idSource } from '../envelope.ts';
import { EverwireError, report } from '../errors.ts';
import { Announcer, asyncDispose, noop, onAbort, refused } from '../events.ts';
import { acquire, type Instance } from '../instance.ts';
import { frozen, Monitor } from '../monitor.ts';
import { checkSignal, fail, timeout as checkTimeout, waitOptions, within } from '../options.ts';
import { checkUrl, settle } from '../dial.ts';
import { abandon, transmit } from '../socket.ts';
import { Streams } from '../streams.ts';
import { state as states } from '../codes.ts';
import * as codes from './codes.ts';
import { Deliveries } from './deliveries.ts';
import { NONE, type SessionExports, type SessionHost } from './contract.ts';
import { type Inbound, isMessage, read, withMeta } from './inbound.ts';
import { checkSession, checkToken, type SessionSettings } from './options.ts';
import { frameOf, helloBody, lengthOf, ownLength, ownText } from './outbound.ts';
import { type Answer, type Kept, Outbox, rejectKept } from './outbox.ts';
import { OwnIds } from './own-ids.ts';
import { Pages } from './pages.ts';
import { readReceipt, Receipts } from './receipts.ts';
import { Room } from './room.ts';

type Message = SessionEnvelope;
const CLOSED = 5;
/** The longest timer of a request. [REQ-10] */
const REQUEST_MAX_MS = 3_600_000;
const REQUEST_MS = 30_000;
/** The core asks for so many secrets at a time: a spare producer, and two for the case that the producer is unknown. */
const FRESH_BYTES = 48;
/** Casts that an iterator keeps until they are pulled; stored messages are bounded by the credit. */
const UNPULLED_MAX = 1024;
/** Told by methods of their own, or of every message, or by other people. */
const UNNOTED = new Set(['settled', 'undelivered', 'error', 'read', 'delivered']);
const SUBPROTOCOL = 'everwire.v1';
export class SessionWire extends Announcer {
  #settings: SessionSettings;
  #instance: Instance;
  /** 0 as soon as the core no longer knows this wire. */
  #handle = 0;
  #state = 0;
  #url: UrlSource;
  #redirect: string | undefined;
  /** The dial whose answer is still wanted, or 0. */
  #link = 0;
  #socket: WebSocket | undefined;
  #token: string | undefined;
  #ids: Ids;
  /** Made for the first message with an id of the application's own. */
  #ownIds: OwnIds | undefined;
  #outbox = new Outbox();
  #casts = new Map<number, Frame>();
  #handlers = new Deliveries();
  #rooms = new Map<string, Room>();
  #pages = new Pages();
  #inHand: Inbound = { head: '', found: [0, 0, NONE, NONE], texts: [], elements: [], url: undefined };
  /** Received and not started, in the order of their deliveries. */
  #received: Message[] = [];
  /** Messages have been submitted in this turn. */
  #gathering = false;
  /** Deliveries that have ended since the core was last told, in runs: the first and how many. */
  #ended: number[] = [];
  #epoch = '';
  #identity: string | undefined;
  #receipts = new Receipts();
  #monitor: Monitor;
  #streams = new Streams<Message>();
  #left = false;
  #over = false;
  #unhooks: (() => void)[] = [];
  #resolveClosed!: () => void;
  #closed = new Promise<void>((resolve) => (this.#resolveClosed = resolve));

  constructor(compile: () => WebAssembly.Module, url: UrlSource, options?: SessionOptions) {
    super();
    this.#settings = checkSession(options);
    this.#monitor = new Monitor(this.#settings.logger, (task) => this.#queue(task));
    this.#url = typeof url === 'function' ? url : checkUrl(url);
    this.#instance = acquire(compile);
    const random = crypto.getRandomValues(new Uint32Array(5));
    this.#ids = idSource(random.subarray(2));
    this.#instance.wires.add(this.#coreDied);
    const config = Float64Array.of(random[0]!, random[1]!, ...this.#settings.config);
    const producer = crypto.getRandomValues(new Uint8Array(16));
    this.#handle = (this.#instance as any).call('wire_create', this.#host(), config, producer) ?? 0;
    const { signal } = this.#settings;
    const closeNow = () => void this.close({ timeout: 0 });
    if (signal?.aborted) closeNow();
    else {
      this.#unhooks.push(onAbort(signal, closeNow));
      this.#call('wire_connect');
    }
  }

  get state() {
    return states[this.#state]!;
  }

  get queued() {
    return this.#outbox.queued;
  }

  get queuedBytes() {
    return this.#outbox.queuedBytes;
  }

  get identity() {
    return this.#identity;
  }

  on(type: string, fn: (message: Message) => unknown, options?: { serial?: boolean }): () => void {
    return this.listen(type, undefined, fn, options);
  }

  /** As `on`, of one room only. */
  listen(type: string, room: string | undefined, fn: (message: Message) => unknown, options?: { serial?: boolean } | null): () => void {
    if (typeof type !== 'string') fail('type', 'a string', type);
    return this.#handlers.add(type, { fn, room, tail: options?.serial ? Promise.resolve() : undefined });
  }

  messages(type: string, options?: MessagesOptions | null, room?: string): AsyncIterableIterator<Message> {
    const max = within('buffer', options?.buffer, UNPULLED_MAX, 1, 65_536);
    const overrun = () => this.#error(new EverwireError('iterator-full'));
    return this.#streams.open((fn) => this.listen(type, room, fn), (message) => !message.cast, max, options, overrun);
  }

  stats(): SessionStats {
    const { queued, queuedBytes, unsettled } = this.#outbox;
    return frozen({
      state: this.state,
      roundTrip: this.#call('wire_round_trip') || null,
      ...this.#monitor.counts(),
      outbox: { messages: queued, bytes: queuedBytes, unsettled },
      buffered: this.#socket?.bufferedAmount ?? 0,
    }) as SessionStats;
  }

  recent(): RecentEvent[] {
    return this.#monitor.recent();
  }

  send(type: string, content: unknown, options?: SessionSendOptions | null): Promise<SessionReceipt> {
    return this.#submit(type, content, options, undefined);
  }

  request(type: string, content: unknown, options?: RequestOptions | null): Promise<Message> {
    const { timeout, ...rest } = options ?? {};
    const reply = new Promise<Message>((resolve, reject) => {
      const answerMs = within('timeout', timeout, REQUEST_MS, 1, REQUEST_MAX_MS);
      // It is the reply that the caller waits for; a request that leaves unstored rejects that.
      void this.#submit(type, content, { ...rest, meta: { ...rest.meta, request: true } }, { resolve, reject, answerMs });
    });
    reply.catch(noop);
    return reply;
  }

  /** True: it went out. */
  cast(type: string, content: unknown, options?: { to?: string }): boolean {
    const ticket = this.#outbox.nextTicket();
    const envelope = compose(this.#ids.next(ticket), type, this.#settings.sender, options?.to ?? null, content, undefined);
    const octets = encode(envelope, true, this.#settings.maxMessageBytes, ownText);
    this.#casts.set(ticket, octets);
    const went = this.#call('wire_cast', ticket, ownLength(octets) + (typeof octets === 'string' ? 2 : 0), typeof octets !== 'string');
    this.#casts.delete(ticket);
    return !!went;
  }

  join(name: string): Room {
    if (typeof name !== 'string') fail('room', 'a string', name);
    let room = this.#rooms.get(name);
    if (!room) {
      const refused = this.#call('wire_join', name);
      if (refused) fail('room', refused === 1 ? '1 – 128 UTF-8 bytes without control characters' : 'one of at most 256', name);
      room = new Room(this, name);
      this.#rooms.set(name, room);
      if (!this.#handle) room.deny('closed');
    }
    return room;
  }

  /** From `Room.leave`. */
  leave(room: Room): void {
    if (this.#rooms.get(room.name) !== room) return;
    this.#rooms.delete(room.name);
    this.#call('wire_leave', room.name);
  }

  history(room: string, options?: HistoryOptions | null): Promise<HistoryPage> {
    const { before, count = 50, signal } = options ?? {};
    within('count', count, 50, 1, 256);
    if (!Number.isInteger(count)) fail('count', 'a whole number, 1 – 256', count);
    if (signal) checkSignal(signal);
    return new Promise<HistoryPage>((resolve, reject) => {
      if (signal?.aborted) return reject(new EverwireError('aborted', undefined, signal.reason));
      const [page, paging] = this.#pages.open(resolve, reject);
      const refused = this.#call('wire_page', page, room, before?.logEpoch ?? '', before?.s ?? NONE, count);
      if (refused !== 0) {
        this.#pages.fail(page, refused === 1 ? new TypeError('everwire: room must be 1 – 128 UTF-8 bytes without control characters')
          : new EverwireError(refused === 2 ? 'outbox-full' : 'closed'));
      } else if (this.#pages.has(page)) paging.unhook = onAbort(signal, () => this.#call('wire_page_abort', page));
    });
  }

  /** Sends the receipt that a message has been read; false if none is due. */
  markRead(message: Message): boolean {
    return this.#receipt(message, 'read');
  }

  close(options?: CloseOptions | null): Promise<void> {
    const { timeout: drain, signal } = options ?? {};
    if (signal) checkSignal(signal);
    const drainMs = checkTimeout('timeout', drain, this.#settings.closeTimeout);
    this.#left = true;
    this.#call('wire_close', signal?.aborted ? 0 : drainMs);
    // A second call with no time left ends the first.
    if (this.#handle) this.#unhooks.push(onAbort(signal, () => this.#call('wire_close', 0)));
    return this.#closed;
  }

  reconnect(): void {
    this.#call('wire_reconnect');
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }

  #submit(
    type: string, content: unknown, options: SessionSendOptions | null | undefined,
    request: (Answer & { answerMs: number }) | undefined,
  ): Promise<SessionReceipt> {
    const ticket = this.#outbox.nextTicket();
    const { sender, maxMessageBytes: max } = this.#settings;
    let id = this.#ids.next(ticket);
    let envelope: Message | undefined;
    let octets: Frame | undefined;
    let wait: ReturnType<typeof waitOptions>;
    let signal: AbortSignal | undefined;
    let bytes: number;
    try {
      const { to = null, meta } = options ?? {};
      ({ id = id, signal } = options ?? {});
      wait = waitOptions(options);
      if (signal) checkSignal(signal);
      envelope = compose(id, type, sender, to, content, meta) as Message;
      const own = options?.id === undefined && !meta;
      octets = encode(envelope, true, max, own ? ownText : undefined);
      bytes = own ? ownLength(octets) : lengthOf(octets);
      if (bytes > max) throw new EverwireError('too-large');
      if (!this.#handle) throw new EverwireError('closed');
      if (signal?.aborted) throw new EverwireError('aborted', undefined, signal.reason);
    } catch (thrown) {
      const error = thrown instanceof EverwireError ? thrown : new EverwireError('content', undefined, thrown);
      return this.#refuse(id, type, octets ?? envelope ?? ({ id, type, content } as Message), error, request);
    }
    const { priority, ttl, key } = wait;
    const kept: Kept = {
      id, type, octets, bytes, numbered: false, key, promise: undefined, resolve: noop, reject: noop, unhook: noop, answer: request,
    };
    kept.promise = new Promise<SessionReceipt>((resolve, reject) => {
      kept.resolve = resolve;
      kept.reject = reject;
    });
    const number = this.#outbox.keep(ticket, kept);
    const refusal = this.#call('wire_submit', ticket, bytes, typeof octets !== 'string', priority, number, ttl, request?.answerMs ?? NONE);
    this.#gather();
    if (refusal) {
      this.#outbox.forget(ticket);
      return this.#refuse(id, type, octets, new EverwireError(codes.refusal[refusal - 1]!), request);
    }
    if (options?.id !== undefined && !this.#settings.echo) (this.#ownIds ??= new OwnIds()).add(id);
    if (signal && this.#outbox.get(ticket)) {
      kept.unhook = onAbort(signal, () => {
        // With a number the message stays and is told by `settled` or `undelivered`; only the promise is let go.
        rejectKept(kept, new EverwireError('aborted', undefined, signal.reason));
        this.#call('wire_abort', ticket);
      });
    }
    return kept.promise;
  }

  /** It was never taken. */
  #refuse(id: string, type: string, message: Frame | Message, error: EverwireError<any>, request: Answer | undefined): Promise<never> {
    request?.reject(error);
    this.#undelivered(id, type, 'never-written', error.code as SessionErrorCode, () => decodeOwn(message as Frame));
    return refused(error);
  }

  /** What is sent in one turn shares frames: a frame costs a browser as much as twenty messages. */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    void Promise.resolve().then(() => {
      this.#gathering = false;
      this.#call('wire_turn_over');
    });
  }

  /** What Rust calls. Nothing in here throws or runs user code. */
  #host(): SessionHost {
    return {
      dial: (link, redirected) => {
        this.#link = link;
        this.#queue(() => void this.#dial(link, redirected));
      },
      renew: (link) => this.#queue(() => void this.#renew(link)),
      forget_socket: () => {
        this.#socket = undefined;
      },
      hello: (socket, head, numbers, texts) => transmit(socket, head + helloBody(numbers, texts, this.#token ?? null)),
      write: transmit,
      send: (socket, head, tickets, withdrawn) => {
        const messages: (Frame | undefined)[] = [];
        for (const ticket of tickets) {
          const kept = this.#outbox.get(ticket);
          messages.push(kept?.octets);
          if (kept && this.#outbox.number(kept)) this.#monitor.wrote(kept.bytes);
        }
        const frame = frameOf(head, messages, withdrawn);
        return frame !== undefined && transmit(socket, frame);
      },
      cast: (socket, head, ticket) => {
        const frame = frameOf(head, [this.#casts.get(ticket)], false);
        return frame !== undefined && transmit(socket, frame);
      },
      auth: (socket, head) => transmit(socket, head + JSON.stringify({ token: this.#token })),
      inspect: (data) => {
        const present = this.#socket?.url ?? '';
        const follows = (url: string) => !!this.#free('wire_follows', url, present, this.#settings.redirects);
        this.#inHand = read(data, this.#wants, follows);
        this.#monitor.read(this.#inHand.found[2]!);
        if (this.#inHand.url !== undefined) this.#redirect = this.#inHand.url;
      },
      head: () => this.#inHand.head,
      found: () => new Float64Array(this.#inHand.found),
      texts: () => this.#inHand.texts,
      received: (runs) => {
        for (let run = 0; run < runs.length; run += 2) {
          const first = runs[run]!;
          for (let more = 0; more < runs[run + 1]!; more++) this.#received.push(this.#inHand.elements[first + more] as Message);
        }
      },
      started: (runs) => {
        const epoch = this.#epoch;
        let many = 0;
        for (let run = 0; run < runs.length; run += 3) many += runs[run + 2]!;
        const messages = this.#received.splice(0, many);
        this.#monitor.received.messages += many;
        this.#instance.queueMessage((all) => {
          let next = 0;
          for (let run = 0; run < runs.length; run += 3) {
            for (let more = 0; more < runs[run + 2]!; more++) {
              const message = all[next++]!;
              // They are nobody else's, so they need not be copied. Both names are plain own members, whatever the server had there.
              message.logEpoch = epoch;
              message.s = runs[run + 1]! + more;
              this.#deliver(runs[run]! + more, message);
            }
          }
        }, messages);
      },
      casts: () => {
        for (const element of this.#inHand.elements) {
          if (isMessage(element)) this.#instance.queueMessage(this.#castCame, { ...element, cast: true } as unknown as Message);
        }
      },
      answered: (ticket) => {
        const [reply] = this.#inHand.elements;
        this.#outbox.takeAnswer(ticket)?.resolve((isMessage(reply) ? reply : { type: 'error', content: null }) as Message);
      },
      paged: (page, mark, numbers) => this.#pages.paged(page, mark, this.#inHand.elements, numbers, this.#epoch),
      page_failed: (page, why, code) => this.#pages.failed(page, why, code),
      settled: (tickets, durable) => {
        for (const ticket of tickets) this.#settled(ticket, durable);
      },
      exited: (ticket, _n, exit, why, durable, code) => {
        if (exit === 0) return this.#settled(ticket, durable);
        const kept = this.#outbox.forget(ticket);
        if (!kept) return;
        const [reason, error] = exit === 1 ? (['refused', 'refused'] as const) : codes.dropped[why]!;
        rejectKept(kept, new EverwireError(error, code || undefined));
        this.#undelivered(kept.id, kept.type, reason, error, () => decodeOwn(kept.octets), code);
      },
      unanswered: (ticket, why) => this.#outbox.takeAnswer(ticket)?.reject(new EverwireError(codes.dropped[why]![1])),
      unbacked: (_ranges, tickets) => {
        const ids = this.#outbox.settledIds(tickets);
        this.#emit('unbacked', () => ({ ids }));
      },
      joined: (room) => this.#queue(() => this.#rooms.get(room)?.admit()),
      denied: (room, code) => {
        const denied = this.#rooms.get(room);
        this.#rooms.delete(room);
        this.#queue(() => denied?.deny(code));
        this.#emit('denied', () => ({ room, code }));
      },
      lost: (rooms) => this.#emit('lost', () => ({ rooms })),
      state: (state) => this.#setState(state),
      opened: (numbers, [identity, epoch, ...joined]) => {
        this.#identity = identity;
        this.#epoch = epoch!;
        this.#redirect = undefined;
        const [link, durable, maxMessageBytes, , serverTime, attempts] = numbers;
        for (const room of joined) this.#queue(() => this.#rooms.get(room)?.admit());
        this.#emit('open', () => ({ link: link!, attempts: attempts!, identity: identity!, durable: !!durable, maxMessageBytes: maxMessageBytes!, serverTime: serverTime! }));
      },
      ended: (_link, why, code, retryMs, clause, reason, wasClean) => {
        this.#socket = undefined;
        const cause = codes.why[why]!;
        const willRetry = retryMs >= 0 || cause === 'suspended';
        if (!willRetry) {
          this.#over = true;
          if (cause === 'auth-refused' || cause === 'max-attempts') this.#error(new EverwireError(cause));
        }
        this.#emit('close', () => ({ code, reason, wasClean, cause, clause: clause || null, willRetry, retryIn: retryMs >= 0 ? retryMs : null }));
      },
      reconnecting: (attempt, delay, why, code) => {
        this.#link = 0;
        this.#emit('reconnecting', () => ({ attempt, delay, cause: codes.why[why]!, code }));
      },
      notice: (kind, _a, _b, clause) => {
        const code = codes.notice[kind];
        if (code) this.#error(new EverwireError(code, clause || undefined));
      },
    };
  }

  #wants = (message: { type?: unknown; receiver?: unknown }): boolean => {
    if (message.type === 'receipt') return this.hears('read') || this.hears('delivered') || this.#handlers.of('receipt').length > 0;
    return this.#handlers.wants(message.type as string, message.receiver);
  };

  /** Asks the user's functions and makes the socket. After every wait the answer may no longer be wanted. */
  async #dial(link: number, redirected: boolean): Promise<void> {
    const stale = () => this.#link !== link;
    try {
      const token = await this.#askToken();
      if (stale()) return;
      const url = redirected && this.#redirect ? this.#redirect : await settle('url', () => (typeof this.#url === 'function' ? this.#url({ token }) : this.#url));
      if (stale()) return;
      const socket = new this.#settings.WebSocket(checkUrl(url), [SUBPROTOCOL]);
      socket.binaryType = 'arraybuffer';
      const changed = token !== this.#token;
      this.#token = token;
      this.#socket = socket;
      this.#call('wire_dialled', link, socket, changed, crypto.getRandomValues(new Uint8Array(FRESH_BYTES)));
    } catch (error) {
      if (stale()) return;
      // What the constructor throws quotes the url: only its name goes on.
      this.#error(error instanceof EverwireError ? error : new EverwireError('connect', String((error as Error)?.name)));
      this.#call('wire_dial_failed', link);
    }
  }

  async #renew(link: number): Promise<void> {
    try {
      this.#token = await this.#askToken();
      this.#call('wire_renewed', link, 'auth\n'.length + JSON.stringify({ token: this.#token }).length);
    } catch (error) {
      this.#error(error instanceof EverwireError ? error : new EverwireError('provider', 'token', error));
      this.#call('wire_renewal_failed', link);
    }
  }

  async #askToken(): Promise<string | undefined> {
    const { token } = this.#settings;
    const given = await settle('token', () => (typeof token === 'function' ? token() : token));
    if (token === undefined) return undefined;
    try {
      return checkToken(given);
    } catch (error) {
      throw new EverwireError('provider', (error as Error).message);
    }
  }

  #deliver(delivery: number, message: Message): void {
    let pending: Promise<unknown>[] | undefined;
    // Whoever closed at once, in a handler of the same batch perhaps, wants no more.
    if (!this.#left || this.#state !== CLOSED) {
      if (message.type === 'receipt') this.#receiptCame(message);
      if (this.#settings.receipts && message.receiver === this.#identity) this.#receipt(message, 'delivered');
      if (this.#settings.echo || !this.#isOwn(message)) pending = this.#handlers.run(message, this.#failed);
    }
    if (pending) void Promise.all(pending).then(() => this.#handlersEnded(delivery));
    else this.#handlersEnded(delivery);
  }

  #isOwn({ id, sender }: Message): boolean {
    if (this.#ids.ticketOf(id) !== undefined) return true;
    // An id that others can name is own only from the own identity: nobody is to hide a message behind it.
    return this.#ownIds !== undefined && sender === this.#identity && this.#ownIds.has(id as string);
  }

  #castCame = (message: Message): void => {
    if (!this.#settings.echo && this.#ids.ticketOf(message.id) !== undefined) return;
    this.#handlers.run(message, this.#failed);
  };

  /** A handler has thrown, or its promise was rejected. */
  #failed = (error: unknown): void => this.#error(new EverwireError('handler', undefined, error), () => report(error));

  /** The core is told of all that have ended in one turn at once. */
  #handlersEnded(delivery: number): void {
    const ended = this.#ended;
    const last = ended.length - 1;
    if (last > 0 && ended[last - 1]! + ended[last]! === delivery) {
      ended[last]!++;
      return;
    }
    ended.push(delivery, 1);
    if (last > 0) return;
    void Promise.resolve().then(() => {
      const runs = new Float64Array(this.#ended);
      this.#ended = [];
      this.#call('wire_settled', runs);
    });
  }

  #receipt(message: Message, state: 'read' | 'delivered'): boolean {
    const content = this.#receipts.due(message, state, this.#identity);
    if (content) void this.send('receipt', content, { to: message.sender! });
    return !!content;
  }

  #receiptCame({ content, sender }: Message): void {
    const said = readReceipt(content);
    if (said) this.#emit(said.state, () => ({ id: said.id, by: sender, logEpoch: said.logEpoch, s: said.s }) as any);
  }

  #settled(ticket: number, durable: boolean): void {
    const kept = this.#outbox.settle(ticket);
    if (!kept) return;
    this.#monitor.settled++;
    kept.resolve({ level: 'stored', durable, id: kept.id });
    if (this.hears('settled')) this.#emit('settled', () => ({ id: kept.id, messageType: kept.type, durable }));
  }

  #undelivered(id: string, messageType: string, reason: UndeliveredReason, cause: SessionErrorCode, message: () => object, code = ''): void {
    this.#monitor.undelivered(reason, cause);
    this.#emit('undelivered', () => ({ id, messageType, reason, cause, code: code || null, message: withMeta(message()) as Message }));
  }

  #setState(state: number): void {
    this.#state = state;
    this.#emit('statechange', () => ({ state: this.state }));
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
    this.#leftOver('closed');
    for (const unhook of this.#unhooks.splice(0)) unhook();
    this.#resolveClosed();
  }

  /** What would otherwise wait for ever. */
  #leftOver(code: SessionErrorCode, cause?: unknown): void {
    const error = new EverwireError(code, undefined, cause);
    for (const answer of this.#outbox.takeAnswers()) answer.reject(error);
    this.#pages.failAll(error);
    for (const room of this.#rooms.values()) room.deny(code);
    this.#rooms.clear();
  }

  #coreDied = (cause: unknown): void => {
    this.#handle = 0;
    abandon(this.#socket);
    for (const ticket of this.#outbox.tickets()) {
      const numbered = this.#outbox.get(ticket)!.numbered;
      const kept = this.#outbox.forget(ticket)!;
      rejectKept(kept, new EverwireError('core-died', undefined, cause));
      this.#undelivered(kept.id, kept.type, numbered ? 'in-doubt' : 'never-written', 'core-died', () => decodeOwn(kept.octets));
    }
    this.#leftOver('core-died', cause);
    if (this.#state !== CLOSED) this.#setState(CLOSED);
    if (this.#over) return;
    this.#over = true;
    const error = new EverwireError('core-died', undefined, cause);
    this.#error(error, () => report(error));
    this.#emit('close', () => ({ code: 1006, reason: '', wasClean: false, cause: 'core-died' as const, clause: null, willRetry: false, retryIn: null }));
  };

  #error(error: EverwireError<SessionErrorCode>, missed?: () => void): void {
    this.#monitor.failed(error.code);
    this.#emit('error', () => ({ error }), missed);
  }

  /** Queues an event; it is made only if someone has ever listened. `missed` runs if nobody got it. */
  #emit<Name extends keyof SessionEventMap>(name: Name, fields: () => Omit<SessionEventMap[Name], keyof Event>, missed?: () => void): void {
    if (!UNNOTED.has(name)) this.#monitor.note(name, fields());
    this.#queue(() => this.announce(name, fields, missed));
  }

  #queue(task: () => void): void {
    this.#instance.queue(task);
  }

  /** Calls an export with this wire's handle, unless the core no longer knows it. */
  #call<Name extends keyof SessionExports>(
    name: Name, ...args: Parameters<SessionExports[Name]> extends [number, ...infer Rest] ? Rest : never
  ): ReturnType<SessionExports[Name]> | undefined {
    return this.#handle ? (this.#instance as any).call(name, this.#handle, ...args) : undefined;
  }

  /** Calls an export that needs no handle, from within the core's own call. */
  #free(name: 'wire_follows', ...args: Parameters<SessionExports['wire_follows']>): boolean {
    return (this.#instance.glue as unknown as SessionExports)[name](...args);
  }
}
