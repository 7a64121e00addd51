// One link of a client: what it asks for, and what it is told (docs/PROTOCOL.md §5 to §16).
import { createHash, createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { BATCH, Fault, HIGHEST, elements, frame, isSubject, isToken, leading, must, object, readHello, spell, stamp } from './frames.mjs';
import { Transport } from './transport.mjs';

const WINDOW = 8_192; // [LIM-8]
const WINDOW_OCTETS = 1_048_576; // [LIM-9]
const FRAME_COUNTS = 262_144; // [CRED-9]
const REFUSALS = 256; // [LIM-10]
const REQUESTS = 256; // [REQ-16]
const ROOMS = 256; // [LIM-11]
const HOOK_MS = 10_000; // [TIME-2]
export const TICK_MS = 250;

export class Link extends Transport {
  filter = new Map(); // subject → from
  queue = []; // numbers without a verdict
  unacked = 0; // octets
  settled = 0; // octets, of those
  joins = new Set(); // unanswered
  pages = new Set(); // unanswered
  answered = Promise.resolve(); // the last answer to a `join`, `page` or `auth`
  casts = Promise.resolve();
  castsWaiting = 0;
  advanced = 0;

  // ——— the link ———

  async on_hello(body) {
    this.greeted = true;
    const hello = readHello(body);
    must(this.server.leaving === null, `window=${this.server.leaving}`, 1012);
    const who = await this.ask(() => this.options.authenticate(hello.token));
    must(who, 'credential refused', 4401);
    const attempts = [[hello.producer, hello]];
    if (hello.written) attempts.push([hello.successor, { link: hello.link, oldest: 1, written: 0, born: null }]);
    const { engine } = this;
    let rooms, record;
    for (const [producer, claim] of attempts) {
      this.producer = producer;
      this.identity = who.anonymous ? anonymous(producer) : who.identity;
      must(isSubject(this.identity) && this.options.identities.test(this.identity), 'HELLO-13', 4403);
      rooms = await Promise.all(hello.rooms.map((one) => this.authorise(one)));
      if (this.ended) return;
      must(Date.now() < this.heard + 30_000, 'HELLO-16', 4004);
      record = engine.claim(producer, { identity: this.identity, anonymous: !!who.anonymous }, claim);
      if (record !== 'unknown') break;
    }
    must(record !== 'full', `window=${this.options.window}`, 1013);
    must(record.born, 'HELLO-17', 4005);
    this.record = record;
    record.owner = this;
    const highest = hello.logEpoch === engine.epoch ? Math.max(hello.position, ...hello.rooms.map(({ from }) => from)) : 0;
    for (let waited = 0; highest > engine.head; waited += TICK_MS) {
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
    return within(HOOK_MS, work).catch(() => {
      throw new Fault(4004, 'a hook is late or has failed');
    });
  }

  welcome(hello, who, rooms) {
    const { engine, options, identity, record, filter } = this;
    const { epoch, head } = engine;
    const same = hello.logEpoch === epoch;
    const position = same ? hello.position : head;
    const denied = [];
    const lost = [];
    for (const { room, from, since, valid, code } of rooms) {
      const full = room !== identity && filter.size - filter.has(identity) >= ROOMS;
      const start = Math.max(position, from);
      const keeps = from !== null && same && valid && since <= start && engine.trimmed(room) <= start;
      if (code || full) denied.push({ room, code: code ?? 'too-many' });
      else filter.set(room, keeps ? from : head);
      if (from !== null && !keeps && filter.has(room)) lost.push(room);
    }
    if (!filter.has(identity)) {
      const missed = engine.trimmed(identity) > position;
      if (missed) lost.push(identity);
      filter.set(identity, missed ? head : position);
    }
    const kept = this.producer === hello.producer;
    const { mark, born } = record;
    Object.assign(this, { oldest: kept ? hello.oldest : 1, named: mark, acked: mark, credit: mark, told: position, scan: position });
    this.seen = { s: position, messages: 0, octets: 0 };
    this.brought = { messages: hello.held[0], octets: hello.held[1] }; // by earlier links and by this one
    this.credit = this.grant();
    this.write(`welcome\n${JSON.stringify({
      version: 1, identity, producer: kept ? 'kept' : 'successor', born, mark, refused: [...record.refused],
      credit: this.credit, logEpoch: epoch, position,
      rooms: [...filter].map(([room, from]) => ({ room, from, grant: room === identity ? undefined : this.sign(room, from) })),
      denied, lost: lost.length ? { subjects: lost, first: head + 1 } : null, durable: false,
      heartbeat: options.heartbeat, window: options.window, limits: { message: options.message, rooms: ROOMS },
      expires: this.expire(who), time: Date.now(), features: [],
    })}`);
    this.open = true;
    for (const answer of record.inbox) if (kept && hello.pending.includes(answer.n)) this.reply(answer);
    this.pump();
  }

  expire({ expires = null }) {
    this.expires = Date.now() + (expires ?? Infinity);
    return expires;
  }

  tick(now) {
    super.tick(now);
    if (!this.open) return;
    must(now < this.expires + 90_000, 'AUTH-5', 4401);
    this.record.used = now; // [NODE-11]
    if (this.scan > this.told && now - this.advanced >= 10_000) this.advance();
    if (this.credit < this.acked + WINDOW) this.ack();
  }

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

  fenced() {
    this.end(4005, 'a higher link of this producer');
  }

  left() {
    clearTimeout(this.ackLater);
    this.wake?.();
    if (this.record?.owner !== this) return;
    this.record.owner = null;
    if (this.open) this.record.tokens += this.credit - this.named;
  }

  // ——— upwards ———

  on_send(n, count, oldest, body, binary) {
    must(n >= 1 && oldest >= 1 && n + count <= HIGHEST, 'NUM-2');
    must(n === this.named + 1, 'SEND-8');
    must(!count || n + count - 1 <= this.credit, 'SEND-9');
    must(oldest >= this.oldest && oldest <= n && oldest <= this.acked + 1, 'SEND-12');
    const messages = elements(body, binary);
    must(messages.length === count && (count < 2 || body.length <= BATCH), 'ERR-7');
    this.oldest = oldest;
    this.engine.release(this.record, oldest);
    this.freed();
    for (const message of messages) {
      must(this.unacked < WINDOW_OCTETS, 'CRED-6');
      this.unacked += message.length;
      this.named += 1;
      this.queue.push(message);
    }
    return this.settle();
  }

  /** Gives each number its verdict, in order. */
  async settle() {
    const { record, queue, engine } = this;
    if (this.settling) return;
    this.settling = true;
    for (let next; (next = queue[0]); queue.shift()) {
      const { code, message } = await this.judge(next, 3);
      while (!this.ended && (code ? record.refused.size >= REFUSALS : message.request && record.running >= REQUESTS)) {
        this.ack();
        await new Promise((wake) => (this.wake = wake));
      }
      if (this.ended) return;
      if (code) engine.refuse(record, code);
      else engine.append(record, message);
      if (message?.request) this.run(record.mark, message.request);
      this.server.pumpSoon();
      this.settled += next.length;
      const half = record.mark - this.acked >= WINDOW / 2 || this.settled >= WINDOW_OCTETS / 2;
      if (half) this.ack();
      else this.ackLater ??= setTimeout(() => this.guard(() => this.ack()), 5);
    }
    this.settling = false;
    this.ack();
    if (this.finishing) this.last();
  }

  /** A code to refuse with, or the message to store or to cast. */
  async judge({ value, members, flaw, repeats, length, octets, text }, tries) {
    if (value === null && !octets) return { code: 'withdrawn' };
    if (length > this.options.message) return { code: 'too-large' };
    const request = tries > 1 && value?.meta?.request === true;
    if (flaw || repeats || !isEnvelope(value, request) || (octets && members.has('content'))) return { code: 'malformed' };
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
    const { acked, credit } = this;
    const { mark, refused } = this.record;
    const codes = [...refused].filter(([n]) => n > acked).map(([n, code]) => ` ${n}:${code}`);
    this.acked = mark;
    this.credit = this.grant();
    this.unacked -= this.settled;
    this.settled = 0;
    if (mark > acked || this.credit > credit) this.write(`ack ${mark} ${this.credit}${codes.join('')}`);
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
    const { record, options, identity, engine } = this;
    const { type, content } = request;
    record.running += 1;
    let answer;
    try {
      if (!Object.hasOwn(options.handlers, type)) throw Object.assign(new Error('nobody handles this type'), { code: 'unhandled' });
      const given = await within(options.requestTimeout, () => options.handlers[type](content, identity), this.server.running);
      answer = JSON.stringify({ type, content: given });
      if (Buffer.byteLength(answer) > options.message) throw Object.assign(new Error('the answer is too long'), { code: 'too-large' });
    } catch ({ code, message }) {
      answer = JSON.stringify({ type: 'error', content: { code: code ?? 'failed', message } });
    }
    record.running -= 1;
    const kept = engine.keep(record, n, answer);
    if (!record.owner?.open) return;
    record.owner.reply(kept);
    record.owner.freed();
  }

  reply({ n, text }) {
    this.answer(frame(`reply ${n}`, [{ text }]));
  }

  on_cast(body, binary) {
    const messages = elements(body, binary);
    must(messages.length > 0 && messages.length <= 1_024 && (messages.length < 2 || body.length <= BATCH), 'FRM-5');
    for (const one of messages) {
      if (this.castsWaiting > 1_024) return;
      this.castsWaiting += 1;
      this.casts = this.casts.then(async () => {
        const { message } = await this.judge(one, 1).catch(() => ({}));
        this.castsWaiting -= 1;
        if (message) this.server.links.forEach((link) => link.pass(message));
      });
    }
  }

  // ——— downwards ———

  get shut() {
    const { brought, seen } = this;
    return brought.messages - seen.messages >= WINDOW || brought.octets - seen.octets >= WINDOW_OCTETS;
  }

  pass(cast) {
    if (!this.open || !this.filter.has(cast.subject) || this.shut || this.ws.bufferedAmount > 65_536) return;
    this.write(frame('cast', [cast]));
  }

  pump() {
    if (!this.open) return;
    const { engine, filter, brought } = this;
    const lost = [...filter.keys()].filter((subject) => engine.trimmed(subject) > Math.max(this.scan, filter.get(subject)));
    if (lost.length) {
      for (const subject of lost) filter.set(subject, engine.head);
      this.write(`lost\n${JSON.stringify({ logEpoch: engine.epoch, subjects: lost, first: engine.head + 1 })}`);
    }
    while (this.scan < engine.head && !this.shut) {
      const most = Math.min(1_024, WINDOW - brought.messages + this.seen.messages);
      const { messages, upto } = engine.read(filter, this.scan, most);
      this.scan = upto;
      if (!messages.length) break;
      const data = frame(`push ${this.told} ${upto} ${messages.map(({ s }) => s).join(' ')}`, messages);
      this.told = upto;
      brought.messages += messages.length;
      brought.octets += Math.min(FRAME_COUNTS, Buffer.byteLength(data) - data.indexOf('\n') - 1);
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
    must(messages >= seen.messages && messages <= brought.messages, 'CRED-16');
    must(octets >= seen.octets && octets <= brought.octets, 'CRED-16');
    this.seen = { s, messages, octets };
    this.pump();
  }

  // ——— rooms, pages, credentials ———

  /** Hooks run at once, answers come in the order of the questions. */
  inTurn(asked, reply) {
    asked.catch(() => {});
    this.answered = this.answered.then(() => this.guard(async () => this.ended || reply(await asked)));
  }

  on_join({ spelled, subject }) {
    must(!this.joins.has(spelled), 'ERR-19');
    this.joins.add(spelled);
    this.inTurn(subject === null ? Promise.resolve('malformed') : this.mayRead('mayJoin', subject), (since) => {
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
    const done = () => this.pages.delete(id);
    const asked = subject === null ? Promise.resolve('malformed') : this.mayRead('mayPage', subject).catch(() => 'unavailable');
    this.inTurn(asked, (since) => {
      if (typeof since === 'string') return this.answer(`page ${id} !${since}`, done);
      const { messages, older } = this.engine.page(subject, since, before, count, 1_048_576);
      do {
        const batch = leading(messages, 256);
        messages.splice(0, batch.length);
        const state = messages.length ? 'more' : older ? 'cut' : 'end';
        const header = ['page', id, state, ...batch.map(({ s }) => s)].join(' ');
        this.answer(frame(header, batch), messages.length ? undefined : done);
      } while (messages.length);
    });
  }

  on_auth(body) {
    must(body.length <= 65_536, 'LIM-17');
    const { token } = object(body);
    must(isToken(token), 'LIM-15');
    must(!this.renewing, 'ERR-27');
    this.renewing = true;
    this.inTurn(this.renew(token), ({ who, revoked }) => {
      for (const room of revoked) if (this.filter.delete(room)) this.write(`denied ${spell(room)} revoked`);
      this.renewing = false;
      this.write(`auth\n${JSON.stringify({ expires: this.expire(who), renewed: true })}`);
    });
  }

  async renew(token) {
    const who = await this.ask(() => this.options.authenticate(token));
    must(who, 'credential refused', 4401);
    must((who.anonymous ? anonymous(this.producer) : who.identity) === this.identity, 'AUTH-3', 4010);
    const rooms = [...this.filter.keys()];
    const allowed = await Promise.all(rooms.map((room) => this.mayRead('mayJoin', room)));
    return { who, revoked: rooms.filter((_, i) => typeof allowed[i] === 'string') };
  }
}

/** The outcome of a hook or handler, or `timeout`; `running` collects the ways to give up on it. */
function within(ms, work, running) {
  return new Promise((resolve, reject) => {
    const late = Object.assign(new Error('it took too long'), { code: 'timeout' });
    const timer = setTimeout(() => reject(late), ms);
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

/** The subject of a request is not its receiver. */
function isEnvelope(value, request) {
  if (value === null || typeof value !== 'object' || typeof value.type !== 'string') return false;
  const { receiver } = value;
  return receiver == null || (typeof receiver === 'string' && (request || isSubject(receiver)));
}
