// A server for everwire's exactly-once delivery: `everwire.v1` (docs/PROTOCOL.md), in memory, in one process.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { Engine } from './engine.mjs';
import { BATCH, Fault, HIGHEST, frame, isSubject, isToken, json, leading, must, object, parse, readHello, spell, stamp, survey } from './frames.mjs';

const SMALL = 16_384; // [LIVE-13]
const HELLO = 262_144; // [LIM-6]
const WINDOW = 8_192; // [LIM-8]
const WINDOW_OCTETS = 1_048_576; // [LIM-9]
const FRAME_COUNTS = 262_144; // [CRED-9]
const REFUSALS = 256; // [LIM-10]
const REQUESTS = 256; // [REQ-16]
const ROOMS = 256; // [LIM-11]
const HOOK_MS = 10_000; // [TIME-2]
const TICK_MS = 250;

const DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  origins: [], // of pages that may connect; what is no browser sends none
  authenticate: (token) => token === null && { anonymous: true }, // or { identity, expires }; nothing: refused
  mayJoin: () => true, // (identity, room), or the position from which the identity may read
  mayPage: null, // the same for a room's history; `mayJoin` if there is none
  onMessage: () => {}, // (message, identity): { refuse: code }, { receiver }, or nothing
  handlers: { echo: (content) => content }, // by the type of the request: (content, identity) → content of the answer
  identities: /^(user|anon)_/, // the form of identities; every other subject is a room, [ROOM-12]
  heartbeat: 25_000,
  window: 10_000,
  requestTimeout: 30_000,
  message: 1_048_576,
  perSecond: 10_000, // messages of a producer, beyond a window of them
  links: 10_000,
  log: { messages: 100_000, octets: 67_108_864, producers: 100_000, producersOfIdentity: 1_000, anonymousProducers: 50_000 },
};

/** Starts the server; resolves once it listens. */
export async function serve(given = {}) {
  const options = { ...DEFAULTS, ...given, log: { ...DEFAULTS.log, ...given.log } };
  options.mayPage ??= options.mayJoin;
  const server = {
    options,
    engine: new Engine(options.log),
    links: new Set(),
    running: new Set(), // how to give up on a request
    grantKey: randomBytes(32),
    frameLimit: Math.max(options.message, 65_536) + 32_768, // [LIM-3]
    leaving: null, // the window, once the server drains
    pump: () => server.links.forEach((link) => link.guard(() => link.pump())),
    pumpSoon: () => (server.soon ??= setImmediate(() => server.pump(server.soon = null))),
  };
  const wss = new WebSocketServer({
    host: options.host,
    port: options.port,
    maxPayload: Math.max(HELLO, server.frameLimit),
    skipUTF8Validation: true, // `frames.mjs` looks, and says 4002
    closeTimeout: 10_000, // [CLOSE-11]
    handleProtocols: (offered) => offered.has('everwire.v1') && 'everwire.v1',
    verifyClient: ({ origin }, answer) => answer(!origin || options.origins.includes(origin), 403),
  });
  wss.on('connection', (ws) => {
    if (ws.protocol !== 'everwire.v1') ws.close(1002);
    else if (server.links.size >= options.links) ws.close(1013, `window=${options.window}`);
    else server.links.add(new Link(server, ws));
  });
  await new Promise((resolve, reject) => wss.once('listening', resolve).once('error', reject));
  const ticks = setInterval(() => server.links.forEach((link) => link.guard(() => link.tick(Date.now()))), TICK_MS);
  return {
    url: `ws://${options.host}:${wss.address().port}`,
    /** Forgets what is stored of a subject so far. */
    trim(subject) {
      server.pump();
      server.engine.trim(subject);
      server.pump();
    },
    /** Says `goaway`, goes on for so long, finishes what it was given, and stops. */
    async close({ within: inMs = 0, window = options.window, reason = 'shutdown' } = {}) {
      server.leaving = window;
      for (const link of server.links) if (link.open) link.write(`goaway ${inMs} ${window}\n${JSON.stringify({ reason })}`);
      if (inMs) await sleep(inMs + 2_000);
      for (const giveUp of server.running) giveUp(Object.assign(new Error('the server stops'), { code: 'in-doubt' }));
      await sleep(0);
      server.links.forEach((link) => link.finish(4000, `window=${window}`));
      while (server.links.size) await sleep(TICK_MS);
      clearInterval(ticks);
      await new Promise((resolve) => wss.close(resolve));
    },
  };
}

class Link {
  open = false;
  queue = []; // numbers without a verdict
  lengths = []; // [n, octets] of numbers without an ack
  answers = []; // `page` and `reply` frames that wait for the transport
  joins = new Set();
  pages = new Set();
  inOrder = Promise.resolve(); // answers to `join`, `page` and `auth`
  casts = Promise.resolve();
  filter = new Map(); // subject → from
  sent = 0;
  confirmed = 0;
  waiting = 0; // octets other than pushes, pages and replies that wait for the transport
  castsWaiting = 0;
  frames = 0;
  pings = 0;
  advanced = 0;

  constructor(server, ws) {
    Object.assign(this, { server, ws, options: server.options, engine: server.engine, socket: ws._socket });
    this.opened = this.heard = this.taking = Date.now();
    this.before = this.read = this.socket.bytesRead;
    ws.on('error', () => {}); // `close` follows
    ws.on('close', () => this.gone());
    ws.on('message', (data, binary) => this.guard(() => this.receive(data, binary)));
    this.socket.on('data', () => this.greeted || this.socket.bytesRead - this.before < 2 * HELLO || this.end(1009, 'SEC-9'));
  }

  /** Work of this link: what goes wrong ends it. */
  async guard(work) {
    try {
      await (this.ended || work());
    } catch (error) {
      if (error instanceof Fault) return this.end(error.code, error.message);
      console.error(error);
      this.end(1011);
    }
  }

  end(code, reason = '') {
    if (this.ended) return;
    this.gone();
    this.ws.resume();
    this.ws.close(code, reason);
    if (code === 4003 || code === 4007) setImmediate(() => this.ws.terminate());
  }

  gone() {
    if (this.ended) return;
    this.ended = true;
    this.server.links.delete(this);
    clearTimeout(this.ackLater);
    this.wake?.();
    if (this.record?.owner !== this) return;
    this.record.owner = null;
    this.record.tokens += this.credit - this.named;
  }

  fenced() {
    this.end(4005, 'a higher link of this producer');
  }

  write(data, { counts = true, done } = {}) {
    const size = Buffer.byteLength(data);
    if (this.open && size > SMALL) this.ws.send(`more ${size}`);
    this.sent += size;
    this.waiting += counts && size;
    this.ws.send(data, () => {
      this.waiting -= counts && size;
      done?.();
      this.breathe();
    });
    this.breathe();
  }

  /** Reads, unless too much waits or too much comes ([NODE-14], [NODE-9]); begins the next page or reply. */
  breathe() {
    if (this.ended) return;
    const full = this.waiting > 1_048_576 || this.frames > 500;
    if (full !== this.ws.isPaused) full ? this.ws.pause() : this.ws.resume();
    if (this.answering || !this.answers.length || this.waiting > 65_536) return;
    const [data, done] = this.answers.shift();
    this.answering = true;
    this.write(data, { counts: false, done: () => done?.(this.answering = false) ?? (this.answering = false) });
  }

  tick(now) {
    if (this.socket.bytesRead !== this.read || this.ws.isPaused) this.heard = now;
    this.read = this.socket.bytesRead;
    this.frames = 0;
    this.breathe();
    if (!this.greeted) must(now < this.opened + 10_000 + Math.min(110_000, this.read - this.before), 'HELLO-12', 4001);
    if (!this.open) return;
    this.record.used = now; // [NODE-11]
    must(now < this.expires + 90_000, 'AUTH-5', 4401);
    const { bytesWritten, writeQueueSize } = this.socket._handle;
    const taken = bytesWritten - writeQueueSize;
    if (!writeQueueSize || taken - this.taken >= 4_096) Object.assign(this, { taken, taking: now });
    must(now - this.taking < 60_000, 'CODE-4007', 4007);
    const late = now - Math.max(this.heard, this.probe?.at) - 20_000 - (this.sent - this.confirmed + this.more) / 4;
    if (this.probe ? late > 1_000 && !this.probe.again : now - this.heard >= this.options.heartbeat) {
      this.write(`ping ${(this.pings += 1)}`);
      this.probe = { at: now, sent: this.sent, again: !!this.probe }; // [LIVE-11]
    } else must(!(late > 0), 'LIVE-4', 4003);
    if (this.scan > this.told && now - this.advanced >= 10_000) this.advance();
    if (this.credit < this.acked + WINDOW) this.ack();
  }

  // ——— opening ———

  receive(data, binary) {
    if (this.finishing) return;
    const greeting = !this.greeted;
    must(data.length <= (greeting ? HELLO : this.server.frameLimit), 'ERR-5', 1009);
    must(!this.more || (data.length > SMALL && data.length <= this.more), 'ERR-25');
    this.more = 0;
    this.frames += 1;
    this.breathe();
    if (this.open && data[0] === 0x78 && data[1] === 0x2d) return; // x-
    const { verb, args, body } = parse(data, binary);
    must(greeting === (verb === 'hello'), 'ERR-9');
    must(greeting || this.open || verb === 'bye', 'HELLO-2');
    return this[`on_${verb}`](...args, body, binary);
  }

  async on_hello(body) {
    this.greeted = true;
    const hello = readHello(body);
    must(this.server.leaving === null, `window=${this.server.leaving}`, 1012);
    const who = await this.ask(() => this.options.authenticate(hello.token));
    must(who, 'credential refused', 4401);
    const attempts = [[hello.producer, hello]];
    if (hello.written) attempts.push([hello.successor, { link: hello.link, oldest: 1, written: 0, born: null }]);
    let rooms, record;
    for (const [producer, claim] of attempts) {
      this.producer = producer;
      this.identity = who.anonymous ? anonymous(producer) : who.identity;
      must(isSubject(this.identity) && this.options.identities.test(this.identity), 'HELLO-13', 4403);
      rooms = await Promise.all(hello.rooms.map((one) => this.authorise(one)));
      if (this.ended) return;
      record = this.engine.claim(producer, { identity: this.identity, anonymous: !!who.anonymous }, claim);
      if (record !== 'unknown') break;
    }
    must(record !== 'full', `window=${this.options.window}`, 1013);
    must(record.born, 'HELLO-17', 4005);
    this.record = record;
    record.owner = this;
    const highest = Math.max(hello.position, ...hello.rooms.map(({ from }) => from));
    for (let waited = 0; hello.logEpoch === this.engine.epoch && highest > this.engine.head; waited += TICK_MS) {
      must(waited < 5_000, 'EPOCH-6', 4004);
      await sleep(TICK_MS);
      if (this.ended) return;
    }
    this.welcome(hello, who, rooms);
  }

  /** Whether a room of `hello` may be read, since when, and whether its `from` may be believed ([ROOM-10]). */
  async authorise({ room, from, grant }) {
    const since = isSubject(room) ? await this.mayRead('mayJoin', room) : 'malformed';
    if (typeof since === 'string') return { room, from, code: since };
    const granted = Number(grant?.split('.')[0]);
    const valid = room === this.identity || from === null || (granted <= from && grant === this.sign(room, granted));
    return { room, from, since, valid: valid || (await this.mayRead('mayPage', room)) <= from };
  }

  /** The position from which this identity may read a subject, or the code of a denial. */
  async mayRead(hook, subject) {
    if (subject === this.identity) return 0;
    if (subject.startsWith('_') || this.options.identities.test(subject)) return 'forbidden';
    const said = await this.ask(() => this.options[hook](this.identity, subject));
    return said === true ? 0 : Number.isInteger(said) ? Math.min(said, this.engine.head) : 'forbidden';
  }

  sign(room, from) {
    const bound = JSON.stringify([this.identity, room, from, this.engine.epoch]);
    return `${from}.${createHmac('sha256', this.server.grantKey).update(bound).digest('base64url')}`;
  }

  ask(work) {
    return within(HOOK_MS, work).catch((error) => {
      throw new Fault(4004, error === LATE ? 'a hook is late' : 'a hook has failed');
    });
  }

  welcome(hello, who, rooms) {
    const { engine, options, identity, record, filter } = this;
    const { head } = engine;
    const same = hello.logEpoch === engine.epoch;
    const position = same ? hello.position : head;
    const denied = [];
    const lost = [];
    for (const { room, from, since, valid, code } of rooms) {
      const full = room !== identity && filter.size - filter.has(identity) >= ROOMS;
      if (code || full) {
        denied.push({ room, code: code ?? 'too-many' });
        continue;
      }
      const start = Math.max(position, from);
      const keeps = from !== null && same && valid && since <= start && engine.trimmed(room) <= start;
      if (from !== null && !keeps) lost.push(room);
      filter.set(room, keeps ? from : head);
    }
    if (!filter.has(identity)) {
      if (engine.trimmed(identity) > position) lost.push(identity);
      filter.set(identity, lost.includes(identity) ? head : position);
    }
    const kept = this.producer === hello.producer;
    Object.assign(this, { acked: record.mark, named: record.mark, credit: record.mark, oldest: kept ? hello.oldest : 1, told: position, scan: position });
    this.seen = { s: position, messages: 0, octets: 0 };
    this.brought = { messages: hello.held[0], octets: hello.held[1] }; // by earlier links and this one
    this.expires = Date.now() + (who.expires ?? Infinity);
    this.credit = this.grant();
    this.write(`welcome\n${JSON.stringify({
      version: 1, identity, producer: kept ? 'kept' : 'successor', born: record.born, mark: record.mark,
      refused: [...record.refused], credit: this.credit, logEpoch: engine.epoch, position,
      rooms: [...filter].map(([room, from]) => ({ room, from, grant: room === identity ? undefined : this.sign(room, from) })),
      denied, lost: lost.length ? { subjects: lost, first: head + 1 } : null, durable: false,
      heartbeat: options.heartbeat, window: options.window, limits: { message: options.message, rooms: ROOMS },
      expires: who.expires ?? null, time: Date.now(), features: [],
    })}`);
    this.open = true;
    for (const answer of record.inbox) if (kept && hello.pending.includes(answer.n)) this.reply(answer);
    this.pump();
  }

  // ——— upwards ———

  on_send(n, count, oldest, body, binary) {
    must(n >= 1 && oldest >= 1 && n + count <= HIGHEST, 'NUM-2');
    must(n === this.named + 1, 'SEND-8');
    must(!count || n + count - 1 <= this.credit, 'SEND-9');
    must(oldest >= this.oldest && oldest <= n && oldest <= this.acked + 1, 'SEND-12');
    const elements = readElements(body, binary);
    must(elements.length === count && (count < 2 || body.length <= BATCH), 'ERR-7');
    this.oldest = oldest;
    this.engine.release(this.record, oldest);
    this.freed();
    for (const element of elements) {
      must(this.lengths.reduce((sum, [, octets]) => sum + octets, 0) < WINDOW_OCTETS, 'CRED-6');
      this.named += 1;
      this.lengths.push([this.named, element.length]);
      this.queue.push(element);
    }
    return this.settle();
  }

  /** Gives each number its verdict, in order. */
  async settle() {
    const { record, queue, engine } = this;
    if (this.settling) return;
    this.settling = true;
    while (queue.length) {
      const { code, message } = await this.judge(queue[0], 3);
      while (!this.ended && (code ? record.refused.size >= REFUSALS : message.request && record.running >= REQUESTS)) {
        this.ack();
        await new Promise((wake) => (this.wake = wake));
      }
      if (this.ended) return;
      if (code) engine.refuse(record, code);
      else engine.append(record, message);
      if (message?.request) this.run(record.mark, message.request);
      queue.shift();
      this.server.pumpSoon();
      const unacked = this.lengths.findLast(([n]) => n <= record.mark);
      this.ackLater ??= setTimeout(() => this.guard(() => this.ack()), 5); // [ACK-7]
    }
    this.settling = false;
    this.ack();
    if (this.finishing) this.last();
  }

  /** A code to refuse with, or the message to store or to cast. */
  async judge({ value, members, flaw, repeats, length, octets, text }, tries) {
    if (value === null && !octets) return { code: 'withdrawn' };
    if (length > this.options.message) return { code: 'too-large' };
    if (flaw || repeats || !isEnvelope(value) || (octets && members.has('content'))) return { code: 'malformed' };
    const request = tries > 1 && value.meta?.request === true;
    if (!request && value.receiver != null && !isSubject(value.receiver)) return { code: 'malformed' };
    const given = octets ? { ...value, content: octets } : value;
    let said;
    for (let left = tries; left > 0; left -= 1) {
      said = await within(HOOK_MS, () => this.options.onMessage(given, this.identity)).catch((error) => ({ error }));
      if (!said?.error || this.ended) break;
    }
    must(!said?.error, 'a hook has failed', 4004);
    if (said?.refuse) return { code: said.refuse };
    if (request) return { message: { request: given } };
    const subject = said?.receiver ?? value.receiver;
    if (subject == null) return { code: 'no-receiver' };
    if (subject.startsWith('_')) return { code: 'forbidden' };
    const stamped = stamp({ text, members }, { sender: this.identity, ...(said?.receiver && { receiver: subject }) });
    const whole = octets && Buffer.concat([Buffer.from(`${stamped}\n`), octets]);
    return { message: { subject, text: stamped, octets: whole, size: Buffer.byteLength(whole ?? stamped) } };
  }

  ack() {
    clearTimeout(this.ackLater);
    this.ackLater = null;
    const { mark, refused } = this.record;
    const codes = [...refused].filter(([n]) => n > this.acked).map(([n, code]) => ` ${n}:${code}`);
    const before = [this.acked, this.credit];
    this.acked = mark;
    this.credit = this.grant();
    this.lengths = this.lengths.filter(([n]) => n > mark);
    if (mark > before[0] || this.credit > before[1]) this.write(`ack ${mark} ${this.credit}${codes.join('')}`);
  }

  /** The credit: a window, as far as the rate allows ([SEND-24]) and nothing is full ([REF-4], [REQ-16]). */
  grant() {
    const { record, credit } = this;
    if (record.refused.size >= REFUSALS || record.running >= REQUESTS) return credit;
    const now = Date.now();
    record.tokens = Math.min(WINDOW, record.tokens + ((now - record.filled) / 1_000) * this.options.perSecond);
    record.filled = now;
    const more = Math.max(0, Math.min(this.acked + WINDOW - credit, Math.floor(record.tokens)));
    record.tokens -= more;
    return credit + more;
  }

  freed() {
    this.wake?.();
    if (this.credit < this.acked + WINDOW) this.ack();
  }

  /** Runs a request, once, and puts the answer into the producer's inbox before it goes out. */
  async run(n, request) {
    const { record, options, identity, server } = this;
    const failed = (code, message) => JSON.stringify({ type: 'error', content: { code, message } });
    const { type } = request;
    record.running += 1;
    let text;
    try {
      if (!Object.hasOwn(options.handlers, type)) throw Object.assign(new Error('nobody handles this type'), { code: 'unhandled' });
      const content = await within(options.requestTimeout, () => options.handlers[type](request.content, identity), server.running);
      text = JSON.stringify({ type, content });
      if (Buffer.byteLength(text) > options.message) text = failed('too-large', 'the answer is too long');
    } catch (error) {
      text = failed(error.code ?? 'failed', error.message);
    }
    record.running -= 1;
    const answer = { n, text, size: Buffer.byteLength(text), at: Date.now() };
    const kept = [answer];
    let octets = answer.size;
    for (const one of record.inbox.toReversed()) {
      octets += one.size;
      if (kept.length < 512 && octets <= 8_388_608 && answer.at - one.at < 3_600_000) kept.unshift(one); // [REQ-5]
    }
    record.inbox = kept;
    if (!record.owner?.open) return;
    record.owner.reply(answer);
    record.owner.freed();
  }

  reply({ n, text }) {
    this.answers.push([frame(`reply ${n}`, [{ text }])]);
    this.breathe();
  }

  on_cast(body, binary) {
    const elements = readElements(body, binary);
    must(elements.length > 0 && elements.length <= 1_024 && (elements.length < 2 || body.length <= BATCH), 'FRM-5');
    for (const element of elements) {
      if (this.castsWaiting > 1_024) return;
      this.castsWaiting += 1;
      this.casts = this.casts.then(async () => {
        const { message } = await this.judge(element, 1).catch(() => ({}));
        this.castsWaiting -= 1;
        if (!message) return;
        const data = frame('cast', [message]);
        for (const link of this.server.links) if (link.open && link.filter.has(message.subject) && link.mayTake()) link.write(data);
      });
    }
  }

  mayTake() {
    return this.outstanding.messages < WINDOW && this.outstanding.octets < WINDOW_OCTETS && this.ws.bufferedAmount < 65_536;
  }

  // ——— downwards ———

  get outstanding() {
    return { messages: this.brought.messages - this.seen.messages, octets: this.brought.octets - this.seen.octets };
  }

  pump() {
    if (!this.open) return;
    const { engine, filter } = this;
    const lost = [...filter].filter(([subject, from]) => engine.trimmed(subject) > Math.max(this.scan, from)).map(([subject]) => subject);
    if (lost.length) {
      for (const subject of lost) filter.set(subject, engine.head);
      this.write(`lost\n${JSON.stringify({ logEpoch: engine.epoch, subjects: lost, first: engine.head + 1 })}`);
    }
    while (this.scan < engine.head && this.outstanding.messages < WINDOW && this.outstanding.octets < WINDOW_OCTETS) {
      const { messages, upto } = engine.read(filter, this.scan, Math.min(1_024, WINDOW - this.outstanding.messages));
      this.scan = upto;
      if (!messages.length) break;
      const data = frame(`push ${this.told} ${upto} ${messages.map(({ s }) => s).join(' ')}`, messages);
      this.told = upto;
      this.brought.messages += messages.length;
      this.brought.octets += Math.min(FRAME_COUNTS, Buffer.byteLength(data) - data.indexOf('\n') - 1);
      this.write(data, { counts: false });
    }
  }

  advance() {
    this.write(`advance ${this.told} ${this.scan}`);
    this.told = this.scan;
    this.advanced = Date.now();
  }

  on_seen(s, messages, octets) {
    const { seen, brought } = this;
    must(s >= seen.s && s <= this.told, 'CRED-16');
    must(messages >= seen.messages && messages <= brought.messages && octets >= seen.octets && octets <= brought.octets, 'CRED-16');
    this.seen = { s, messages, octets };
    this.pump();
  }

  // ——— rooms, pages, the rest ———

  /** Hooks run at once, answers come in the order of the questions. */
  answer(asked, reply) {
    asked.catch(() => {});
    this.inOrder = this.inOrder.then(() => this.guard(async () => reply(await asked)));
  }

  on_join({ spelled, subject }) {
    must(!this.joins.has(spelled), 'ERR-19');
    this.joins.add(spelled);
    this.answer(subject === null ? Promise.resolve('malformed') : this.mayRead('mayJoin', subject), (since) => {
      if (this.ended) return;
      this.joins.delete(spelled);
      const known = this.filter.get(subject);
      const code = typeof since === 'string' ? since : known === undefined && this.filter.size > ROOMS && 'too-many';
      if (code) return this.write(`denied ${spelled} ${code}`);
      const from = known === undefined ? this.engine.head : Math.max(known, this.told);
      this.filter.set(subject, from);
      this.write(`joined ${spelled} ${from} ${this.sign(subject, from)}`);
    });
  }

  on_leave({ subject }) {
    if (subject !== this.identity) this.filter.delete(subject);
  }

  on_page(id, { subject }, before, count) {
    must(count >= 1 && count <= 256 && this.pages.size < 4 && !this.pages.has(id), 'ERR-21');
    this.pages.add(id);
    const asked = subject === null ? Promise.resolve('malformed') : this.mayRead('mayPage', subject).catch(() => 'unavailable');
    this.answer(asked, (since) => {
      const done = () => this.pages.delete(id);
      if (typeof since === 'string') this.answers.push([`page ${id} !${since}`, done]);
      else {
        const { messages, older } = this.engine.page(subject, since, before, count, 1_048_576);
        do {
          const batch = leading(messages, 256);
          messages.splice(0, batch.length);
          const state = messages.length ? 'more' : older ? 'cut' : 'end';
          const header = ['page', id, state, ...batch.map(({ s }) => s)].join(' ');
          this.answers.push([frame(header, batch), messages.length ? undefined : done]);
        } while (messages.length);
      }
      this.breathe();
    });
  }

  on_auth(body) {
    const { value, whole } = object(body);
    whole();
    must(body.length <= 65_536, 'LIM-17');
    must(isToken(value.token), 'LIM-15');
    must(!this.renewing, 'ERR-27');
    this.renewing = true;
    this.answer(this.renew(value.token), ({ expires = null, revoked }) => {
      for (const room of revoked) {
        if (this.filter.delete(room)) this.write(`denied ${spell(room)} revoked`);
      }
      this.renewing = false;
      this.expires = Date.now() + (expires ?? Infinity);
      this.write(`auth\n${JSON.stringify({ expires, renewed: true })}`);
    });
  }

  async renew(token) {
    const who = await this.ask(() => this.options.authenticate(token));
    must(who, 'credential refused', 4401);
    must((who.anonymous ? anonymous(this.producer) : who.identity) === this.identity, 'AUTH-3', 4010);
    const rooms = [...this.filter.keys()];
    const allowed = await Promise.all(rooms.map((room) => this.mayRead('mayJoin', room)));
    return { expires: who.expires, revoked: rooms.filter((_, i) => typeof allowed[i] === 'string') };
  }

  on_ping(x) {
    this.asked = x;
    if (!this.ponging) this.pong();
  }

  /** One at a time: a pong answers all earlier pings. */
  pong() {
    const x = this.asked;
    this.ponging = true;
    this.write(`pong ${x}`, { done: () => (this.ponging = false) || this.asked === x || this.pong() });
  }

  on_pong(x) {
    if (!this.probe || x !== this.pings) return;
    this.confirmed = this.probe.sent;
    this.probe = null;
  }

  on_more(octets) {
    must(octets > SMALL, 'LIVE-14');
    this.more = Math.min(octets, this.server.frameLimit);
  }

  on_vis() {}

  on_bye(s) {
    if (!this.open) return this.end(1000);
    must(s >= this.seen.s && s <= this.told, 'CRED-16');
    this.finish(1000);
  }

  /** Reads nothing more; ends with the last verdict, or after 5 s. */
  finish(code, reason) {
    if (!this.open) return this.end(1012, reason);
    this.finishing = code;
    if (this.queue.length) setTimeout(() => this.last(), 5_000);
    else this.last();
  }

  last() {
    if (this.ended) return;
    this.ack();
    if (this.scan > this.told) this.advance();
    this.end(this.finishing);
  }
}

const LATE = new Error('late');

/** The outcome of a hook or handler, or LATE; `running` collects the ways to give up on it. */
function within(ms, work, running) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(Object.assign(LATE, { code: 'timeout' })), ms);
    running?.add(reject);
    Promise.resolve().then(work).then(resolve, reject).finally(() => {
      clearTimeout(timer);
      running?.delete(reject);
    });
  });
}

function anonymous(producer) {
  return `anon_${createHash('sha256').update(`everwire identity ${producer}`).digest('hex')}`;
}

/** The elements of a body, surveyed; a binary frame has one, with its content. */
function readElements(body, binary) {
  if (!binary) {
    const { text, value } = json(body);
    must(Array.isArray(value), 'ERR-6');
    return survey(text).map((element, i) => ({ ...element, value: value[i], length: Buffer.byteLength(element.text) }));
  }
  const lf = body.indexOf(10);
  must(lf >= 0, 'ERR-6');
  const { text, value } = json(body.subarray(0, lf));
  return [{ ...survey(`[${text}]`)[0], value, length: body.length, octets: body.subarray(lf + 1) }];
}

function isEnvelope(value) {
  const text = value !== null && typeof value === 'object' && typeof value.type === 'string';
  return text && (value.receiver == null || typeof value.receiver === 'string');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '8090' }, host: { type: 'string' }, origin: { type: 'string', multiple: true } },
  });
  const server = await serve({ port: Number(values.port), host: values.host ?? '127.0.0.1', origins: values.origin ?? [] });
  console.log(server.url);
  process.once('SIGTERM', () => server.close({ within: 5_000 }));
}
