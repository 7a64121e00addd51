// A client without judgement: it writes what a test says, keeps what comes, and holds every frame against the rules
// that bind a server whatever the test is about.
import { randomBytes } from 'node:crypto';
import WebSocket from 'ws';
import { read, Violation } from './grammar.mjs';

const WINDOW_UP = 32_768;
const WINDOW = 8_192;
const WINDOW_OCTETS = 1_048_576;
const FRAME_COUNTS = 262_144;

/** What every frame of every link is held against, in every test. */
export const ALWAYS = `TRN-4 FRM-1 FRM-2 FRM-4 FRM-5 FRM-7 FRM-10 FRM-12 NUM-1 LIM-1 LIM-3 LIM-4 LIM-5 LIM-7 LIM-17 LIM-20
  HELLO-19 WELC-2 WELC-5 WELC-7 WELC-9 WELC-10 WELC-11 WELC-14 ACK-1 ACK-3 ACK-5 CRED-2 CRED-4 CRED-10 POS-2 POS-8 POS-9 POS-12
  ROOM-4 ROOM-6 ROOM-20 PAGE-2 PAGE-3 LIVE-2 LIVE-13 LIVE-14 AUTH-1 AWAY-1 LOST-6 LOST-7 SEND-19 SEC-1 ERR-6`.split(/\s+/);

export const HIGHEST = Number.MAX_SAFE_INTEGER;
export const fresh = () => randomBytes(16).toString('hex');
export const spell = (subject) =>
  encodeURIComponent(subject).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

export class Failure extends Error {}

/** What a test is handed. */
export class Test {
  wires = [];

  constructor(url, deadline) {
    this.url = url;
    this.deadline = deadline;
    this.tag = randomBytes(5).toString('hex');
  }

  /** A name that no other test uses. */
  unique(prefix) {
    this.count = (this.count ?? 0) + 1;
    return `${prefix}${this.tag}-${this.count}`;
  }

  room(prefix = 'room-') {
    return this.unique(prefix);
  }

  /** A client of its own user, or of `token`. */
  wire(token = `user:${this.unique('u')}`) {
    const wire = new Wire(this, token);
    this.wires.push(wire);
    return wire;
  }

  ok(holds, text) {
    if (!holds) throw new Failure(text);
  }

  equal(actual, wanted, text) {
    const [a, b] = [actual, wanted].map((value) => JSON.stringify(value) ?? 'nothing');
    if (a !== b) throw new Failure(`${text}: ${cut(a)} instead of ${cut(b)}`);
  }

  /** The server's application lets go of what waits for `key`. */
  async go(key) {
    const wire = this.wire();
    const link = await wire.open();
    await link.request('go', key);
    await link.end();
  }

  end() {
    for (const wire of this.wires) for (const link of wire.links) link.socket.terminate();
  }

  get frames() {
    return this.wires.flatMap((wire) => wire.links.map((link) => link.frames.length)).reduce((sum, one) => sum + one, 0);
  }

  /** What no log may hold: what is too short to be told from an ordinary word is left out. */
  get secrets() {
    const own = this.wires.flatMap(({ token, producer, successor, links }) => [token, producer, successor, ...links.flatMap(({ contents }) => contents)]);
    return own.filter((secret) => typeof secret === 'string' && secret.length >= 8);
  }

  /** The rules that frames have broken, whatever the test was about. */
  get violations() {
    return this.wires.flatMap((wire) => wire.links.flatMap((link) => link.violations));
  }
}

/** One logical client: what its next `hello` says. */
class Wire {
  links = [];
  producer = fresh();
  successor = fresh();
  number = 0;
  oldest = 1;
  written = 0;
  born = null;
  logEpoch = null;
  position = null;
  rooms = new Map(); // subject → { from, grant }

  constructor(test, token) {
    Object.assign(this, { test, token });
  }

  /** The body of the next `hello`, with what the test wants otherwise. */
  hello(over = {}) {
    this.number += 1;
    const rooms = [...this.rooms].map(([room, { from, grant }]) => ({ room, from, grant }));
    return {
      version: 1, token: this.token, producer: this.producer, successor: this.written ? this.successor : null,
      link: this.number, oldest: this.oldest, written: this.written, born: this.written ? this.born : null,
      logEpoch: this.logEpoch, position: this.position, rooms, pending: [], held: [0, 0], visible: true, features: [], ...over,
    };
  }

  /** A link that has said nothing yet. */
  async dial(options) {
    const link = new Link(this, options);
    this.links.push(link);
    await link.until(() => link.opened, 'the WebSocket to open');
    return link;
  }

  /** A link with its `welcome`. */
  async open(over, options) {
    const link = await this.dial(options);
    link.hello(this.hello(over));
    await link.until(() => link.welcome, 'welcome');
    return link;
  }

  /** A link that will be closed without `welcome`: the close. */
  async refused(over) {
    const link = await this.dial();
    link.hello(this.hello(over));
    return link.closes();
  }
}

class Link {
  opened = false;
  closed = null;
  welcome = null;
  frames = [];
  violations = [];
  contents = []; // what was sent
  messages = []; // pushed: { s, subject, envelope, raw }
  replies = [];
  casts = [];
  pages = new Map(); // id → { s, elements, state, code }
  joined = []; // [room, from, grant]
  denied = []; // [room, code]
  refusals = new Map();
  auths = [];
  losses = [];
  pongs = [];
  pings = [];
  advances = [];
  acked = 0;
  credit = 0;
  answersPings = true;
  #waiters = new Set();

  constructor(wire, { origin, headers, localAddress } = {}) {
    this.wire = wire;
    this.test = wire.test;
    this.socket = new WebSocket(this.test.url, ['everwire.v1'], {
      origin, headers, localAddress, perMessageDeflate: false, skipUTF8Validation: true,
    });
    this.socket.on('open', () => this.#event(() => (this.opened = true)));
    this.socket.on('unexpected-response', (request, response) => {
      this.status = response.statusCode;
      this.retryAfter = Number(response.headers['retry-after']);
      request.destroy();
      this.#event(() => (this.closed = { code: 1006, reason: '' }));
    });
    this.socket.on('error', () => {});
    this.socket.on('close', (code, reason) => this.#event(() => {
      this.#rule(reason.length <= 123, 'LIM-20', `a reason of ${reason.length} octets`);
      this.closed ??= { code, reason: String(reason) };
    }));
    this.socket.on('message', (data, binary) => this.#event(() => this.#receive(data, binary)));
  }

  // ——— writing ———

  /** One frame, as it is: a string is a text frame, octets a binary one. */
  write(frame) {
    this.socket.send(frame);
  }

  hello(body) {
    this.said = body;
    this.write(`hello\n${JSON.stringify(body)}`);
  }

  /** Messages under the next numbers, in one frame; answers the number of the last. */
  send(messages, { n = this.wire.written + 1, oldest = this.wire.oldest } = {}) {
    this.contents.push(...messages.map((message) => message?.content));
    const bodies = messages.map((message) => (typeof message === 'string' ? message : JSON.stringify(message)));
    const frame = `send ${n} ${messages.length} ${oldest}\n[${bodies.join(',')}]`;
    if (Buffer.byteLength(frame) > 16_384) this.write(`more ${Buffer.byteLength(frame)}`);
    this.write(frame);
    this.wire.written = Math.max(this.wire.written, n + messages.length - 1);
    return n + messages.length - 1;
  }

  sendBinary(envelope, content, { n = this.wire.written + 1, oldest = this.wire.oldest } = {}) {
    this.contents.push(String(content));
    const frame = Buffer.concat([Buffer.from(`send ${n} 1 ${oldest}\n${JSON.stringify(envelope)}\n`), content]);
    if (frame.length > 16_384) this.write(`more ${frame.length}`);
    this.write(frame);
    this.wire.written = Math.max(this.wire.written, n);
    return n;
  }

  /** Sends and waits until all of it is settled. */
  async settle(messages, options) {
    const n = this.send(messages, options);
    await this.until(() => this.acked >= n, `ack ${n}`);
    return n;
  }

  /** Says that all that was pushed has been processed. */
  seenAll() {
    this.write(`seen ${this.told} ${this.outstanding.brought} ${this.outstanding.broughtOctets}`);
    Object.assign(this.outstanding, { messages: 0, octets: 0 });
  }

  async request(type, content) {
    const n = this.send([{ type, content, meta: { request: true } }]);
    return this.reply(n);
  }

  // ——— waiting ———

  /** Resolves when the condition holds; looks at every event of the link. A link that has ended fails it. */
  until(condition, what, { evenClosed = false } = {}) {
    const look = () => (condition() ? 'yes' : this.closed && !evenClosed ? 'closed' : 'wait');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(new Failure(`waited in vain for ${what}; the last frames were ${this.#tail()}`)), this.test.deadline - Date.now());
      const done = (error) => {
        clearTimeout(timer);
        this.#waiters.delete(check);
        if (error) reject(error);
        else resolve();
      };
      const check = () => {
        const state = look();
        if (state === 'yes') done();
        if (state === 'closed') done(new Failure(`the link closed with ${this.closed.code} ${this.closed.reason} while waiting for ${what}`));
      };
      this.#waiters.add(check);
      check();
    });
  }

  async reply(n) {
    await this.until(() => this.replies.some((one) => one.n === n), `reply ${n}`);
    return this.replies.find((one) => one.n === n).envelope;
  }

  /** Everything that was written so far has been read and answered by the server. */
  async sync() {
    this.pinged = (this.pinged ?? 0) + 1;
    const x = this.pinged;
    this.write(`ping ${x}`);
    await this.until(() => this.pongs.some((pong) => pong >= x), `pong ${x}`);
  }

  async closes(code, what = 'the close') {
    await this.until(() => this.closed, what, { evenClosed: true });
    if (code !== undefined && this.closed.code !== code) {
      throw new Failure(`closed with ${this.closed.code} ${JSON.stringify(this.closed.reason)} instead of ${code}`);
    }
    return this.closed;
  }

  async join(room) {
    const answered = this.joined.length + this.denied.length;
    this.write(`join ${spell(room)}`);
    await this.until(() => this.joined.length + this.denied.length > answered, `the answer to join ${room}`);
    return this.joined.findLast(([joined]) => joined === room) ?? null;
  }

  async page(id, room, before, count) {
    this.write(`page ${id} ${spell(room)} ${before} ${count}`);
    await this.until(() => this.pages.get(id)?.done, `page ${id}`);
    const page = this.pages.get(id);
    this.pages.delete(id);
    return page;
  }

  /** Waits for a message that only now is on its way to this client: whatever stands before it in the log has been pushed. */
  async fence() {
    const mark = this.test.unique('fence');
    await this.settle([{ type: 'fence', receiver: this.welcome.identity, content: mark }]);
    await this.until(() => this.messages.some(({ envelope }) => envelope.content === mark), 'a message to its own subject');
  }

  of(room) {
    return this.messages.filter(({ envelope }) => envelope.receiver === room);
  }

  /** `bye`, and the node's close. */
  async end() {
    this.write(`bye ${this.welcome ? this.seenS ?? this.welcome.position : 0}`);
    return this.closes(1000);
  }

  /** Ends without a word, as a network does. */
  cut() {
    this.socket.terminate();
  }

  // ——— what comes ———

  #event(work) {
    try {
      work();
    } catch (error) {
      this.violations.push(error instanceof Violation ? error : new Violation('ERR-6', `a frame that the suite could not take: ${error.stack}`));
    }
    for (const check of [...this.#waiters]) check();
  }

  #tail() {
    const last = this.frames.slice(-3).map(({ verb, args }) => cut(`${verb} ${JSON.stringify(args)}`, 160));
    return last.length ? last.join(' | ') : 'none';
  }

  #rule(holds, clause, text) {
    if (!holds) this.violations.push(new Violation(clause, text));
  }

  #receive(data, binary) {
    const secret = [this.wire.producer, this.wire.successor].some((producer) => data.includes(producer));
    this.#rule(!secret, 'SEC-1', 'a frame holds the producer');
    if (this.welcome) {
      const announced = this.announced;
      this.announced = null;
      this.#rule(announced == null || (data.length === announced && data.length > 16_384), 'LIVE-13', `${data.length} octets behind more ${announced}`);
      this.#rule(data.length <= 16_384 || announced === data.length, 'LIVE-13', `a frame of ${data.length} octets without more`);
      this.#rule(data.length <= Math.max(this.welcome.limits.message, 65_536) + 32_768 || data.includes('lost\n'), 'LIM-3', `a frame of ${data.length}`);
    }
    const frame = read(data, binary);
    this.#rule(!this.early, 'POS-12', this.early);
    this.frames.push(frame);
    this.#rule(this.welcome ? frame.verb !== 'welcome' : frame.verb === 'welcome', 'HELLO-19', `${frame.verb} as frame ${this.frames.length}`);
    this[`_${frame.verb}`]?.(frame, data);
  }

  _welcome({ body }, data) {
    this.#rule(data.length <= 262_144, 'LIM-7', `a welcome of ${data.length} octets`);
    this.welcome = body;
    for (const broken of checkWelcome(this.said, body)) this.violations.push(broken);
    const { wire } = this;
    if (body.producer === 'successor') {
      Object.assign(wire, { producer: wire.successor, successor: fresh(), written: 0, oldest: 1 });
    }
    Object.assign(wire, { born: body.born, logEpoch: body.logEpoch, position: body.position });
    wire.rooms = new Map(body.rooms.map(({ room, from, grant }) => [room, { from, grant }]));
    this.acked = body.mark;
    this.credit = body.credit;
    this.told = body.position;
    const [messages, octets] = this.said.held;
    this.outstanding = { messages, octets, brought: messages, broughtOctets: octets };
    wire.written = Math.max(wire.written, body.producer === 'successor' ? 0 : body.mark);
  }

  _ack({ args: [n, credit, refused] }) {
    this.#rule(n >= this.acked, 'ACK-5', `ack ${n} after ${this.acked}`);
    this.#rule(n <= Math.max(this.wire.written, this.welcome.mark), 'ACK-1', `ack ${n}, and ${this.wire.written} were written`);
    this.#rule(refused.every(([r], i) => r > (refused[i - 1]?.[0] ?? this.acked) && r <= n), 'ACK-3', `the list of ack ${n} after ${this.acked}`);
    this.#rule(credit >= this.credit && credit >= n, 'CRED-2', `credit ${credit} after ${this.credit}, n ${n}`);
    this.#rule(credit <= n + WINDOW_UP, 'CRED-4', `credit ${credit} at ${n}`);
    this.acked = n;
    this.credit = credit;
    for (const [r, code] of refused) this.refusals.set(r, code);
  }

  _push({ args: [after, upto, numbers], elements, raw, bodyOctets }) {
    this.#interval(after, upto, 'push');
    this.#rule(numbers.every((s, i) => s > (numbers[i - 1] ?? after) && s <= upto), 'POS-2', `push ${after} ${upto} ${cut(numbers.join(' '))}`);
    const { outstanding } = this;
    this.#rule(outstanding.messages + numbers.length <= WINDOW, 'CRED-10', `${outstanding.messages} + ${numbers.length} messages`);
    this.#rule(outstanding.octets < WINDOW_OCTETS, 'CRED-10', `a push with ${outstanding.octets} octets outstanding`);
    const counts = Math.min(bodyOctets, FRAME_COUNTS);
    outstanding.messages += numbers.length;
    outstanding.brought += numbers.length;
    outstanding.octets += counts;
    outstanding.broughtOctets += counts;
    elements.forEach((envelope, i) => {
      const { receiver } = envelope;
      const from = this.wire.rooms.get(receiver)?.from;
      this.#rule(from !== undefined || this.left?.has(receiver), 'POS-9', `a message for ${receiver}, which is not in the filter`);
      this.#rule(from === undefined || numbers[i] > from, 'ROOM-6', `message ${numbers[i]} of ${receiver}, whose from is ${from}`);
      this.#rule(typeof envelope.sender === 'string', 'SEND-19', 'a message without a sender');
      this.messages.push({ s: numbers[i], envelope, raw });
    });
  }

  _advance({ args: [after, upto] }) {
    this.#interval(after, upto, 'advance');
    this.advances.push({ upto, at: Date.now() });
    const [a, b] = this.advances.slice(-2);
    if (b && b.at - a.at < 900) this.early = `two advances within ${b.at - a.at} ms, and not before a close`;
  }

  #interval(after, upto, verb) {
    this.#rule(after <= upto, 'POS-2', `${verb} ${after} ${upto}`);
    this.#rule(after === this.told, 'POS-8', `${verb} from ${after}, and ${this.told} was told${after > this.told ? ': a gap' : ''}`);
    this.told = Math.max(this.told, upto);
    this.wire.position = this.told;
  }

  _joined({ args: [spelled, from, grant] }) {
    const room = decodeURIComponent(spelled);
    this.#rule(spell(room) === spelled, 'FRM-10', `joined ${spelled}`);
    this.#rule(from >= this.told, 'ROOM-4', `joined ${room} from ${from}, and ${this.told} was told`);
    this.joined.push([room, from, grant]);
    this.wire.rooms.set(room, { from, grant });
  }

  _denied({ args: [spelled, code] }) {
    const room = safely(spelled);
    this.denied.push([room, code]);
    if (code === 'revoked') {
      this.#rule(this.wire.rooms.has(room), 'ROOM-20', `${room} revoked, which is not in the filter`);
      this.wire.rooms.delete(room);
    }
  }

  _page({ args: [id, state, numbers, code], elements }) {
    const page = this.pages.get(id) ?? { s: [], elements: [], bodies: [] };
    this.pages.set(id, page);
    if (code !== undefined) return Object.assign(page, { code, done: true });
    this.#rule(numbers.every((s, i) => s > (numbers[i - 1] ?? page.s.at(-1) ?? 0)), 'PAGE-2', `page ${id} ${numbers.join(' ')} behind ${page.s.at(-1)}`);
    this.#rule(state === 'end' || numbers.length > 0, 'PAGE-3', `page ${id} ${state} without a message`);
    this.#rule(numbers.length <= 256, 'LIM-5', `${numbers.length} messages in a page frame`);
    page.s.push(...numbers);
    page.elements.push(...elements);
    page.bodies.push(this.frames.at(-1).bodyOctets);
    Object.assign(page, { state, done: state !== 'more' });
  }

  _reply({ args: [n], elements }) {
    this.replies.push({ n, envelope: elements[0] });
  }

  _cast({ elements }) {
    this.casts.push(...elements);
  }

  _ping({ args: [x] }) {
    this.#rule(x > (this.pings.at(-1)?.x ?? -1), 'LIVE-2', `ping ${x} after ${this.pings.at(-1)?.x}`);
    this.pings.push({ x, at: Date.now() });
    if (this.answersPings) this.write(`pong ${x}`);
  }

  _pong({ args: [x] }) {
    this.pongs.push(x);
  }

  _more({ args: [octets] }) {
    this.#rule(octets > 16_384, 'LIVE-14', `more ${octets}`);
    this.announced = octets;
  }

  _auth({ body }) {
    this.#rule(typeof body.renewed === 'boolean' && (body.expires === null || Number.isSafeInteger(body.expires)), 'AUTH-1', `auth ${JSON.stringify(body)}`);
    this.auths.push(body);
  }

  _goaway({ args: [inMs, window], body }) {
    this.#rule(typeof body.reason === 'string', 'FRM-12', `goaway ${JSON.stringify(body)}`);
    this.#rule(inMs <= 600_000 && window >= 1_000 && window <= 600_000, 'AWAY-1', `goaway ${inMs} ${window}`);
    this.goaway = { in: inMs, window, ...body };
  }

  _lost({ body }, data) {
    const { logEpoch, subjects, first } = body;
    this.#rule(logEpoch === this.welcome.logEpoch, 'LOST-6', `lost of log epoch ${logEpoch}`);
    this.#rule(Array.isArray(subjects) && subjects.length > 0 && new Set(subjects).size === subjects.length, 'LOST-7', `lost ${JSON.stringify(subjects)}`);
    this.#rule(Number.isSafeInteger(first) && first - 1 >= this.told, 'LOST-7', `first ${first} at ${this.told}`);
    this.#rule(data.length <= 131_072 + 5, 'LIM-17', `a lost of ${data.length} octets`);
    this.losses.push(body);
    for (const subject of subjects) if (this.wire.rooms.has(subject)) this.wire.rooms.set(subject, { ...this.wire.rooms.get(subject), from: first - 1 });
  }
}

const safely = (spelled) => {
  try {
    return decodeURIComponent(spelled);
  } catch {
    return spelled;
  }
};

const isNumber = (value, low = 0, high = HIGHEST) => Number.isInteger(value) && value >= low && value <= high;

/** What a `welcome` must be, by its table and by the `hello` that it answers. */
function checkWelcome(hello, welcome) {
  const broken = [];
  const rule = (holds, clause, text) => holds || broken.push(new Violation(clause, `${text}: ${cut(JSON.stringify(welcome), 300)}`));
  const { producer, born, mark, refused, credit, position, rooms, denied, lost } = welcome;
  rule(welcome.version === 1, 'WELC-2', 'version');
  rule(typeof welcome.identity === 'string' && welcome.identity !== '' && !welcome.identity.startsWith('_'), 'WELC-2', 'identity');
  rule(producer === 'kept' || (producer === 'successor' && hello.written > 0), 'WELC-5', 'producer');
  rule(isNumber(born, 1, hello.link), 'WELC-5', 'born');
  rule(producer !== 'kept' || hello.born === null || born === hello.born, 'WELC-5', 'born is another');
  rule(producer === 'kept' ? isNumber(mark, hello.oldest - 1, hello.written) : mark === 0 && refused.length === 0, 'WELC-5', 'mark');
  rule(Array.isArray(refused) && refused.length <= 256 && refused.every(([n, code], i) => isNumber(n, Math.max(hello.oldest, (refused[i - 1]?.[0] ?? 0) + 1), mark) && /^[a-z0-9-]{1,32}$/.test(code)), 'WELC-7', 'refused');
  rule(isNumber(credit, mark, mark + WINDOW_UP), 'CRED-4', 'credit');
  rule(/^[A-Za-z0-9._~-]{1,64}$/.test(welcome.logEpoch) && isNumber(position), 'WELC-2', 'logEpoch, position');
  const same = hello.logEpoch === welcome.logEpoch;
  rule(!same || position === hello.position, 'WELC-9', `position, which was ${hello.position}`);
  const froms = new Map(rooms.map(({ room, from }) => [room, from]));
  rule(froms.size === rooms.length && rooms.every(({ from, grant }) => isNumber(from) && (grant === undefined || /^[A-Za-z0-9._~-]{1,128}$/.test(grant))), 'WELC-2', 'rooms');
  const refusedRooms = new Set(denied.map(({ room }) => room));
  rule(denied.every(({ code }) => /^[a-z0-9-]{1,32}$/.test(code) && code !== 'revoked'), 'ROOM-20', 'denied');
  rule(froms.has(welcome.identity), 'WELC-11', 'its own subject is missing');
  rule(hello.rooms.every(({ room }) => froms.has(room) !== refusedRooms.has(room)), 'WELC-10', 'a room of hello in none or both of rooms and denied');
  rule(rooms.every(({ room }) => room === welcome.identity || hello.rooms.some((one) => one.room === room)), 'WELC-10', 'a room that hello did not name');
  const gone = new Set(lost?.subjects);
  rule(lost === null || (gone.size > 0 && gone.size === lost.subjects.length && isNumber(lost.first, position + 1) && lost.subjects.every((one) => froms.get(one) === lost.first - 1)), 'LOST-7', 'lost');
  for (const { room, from } of hello.rooms) {
    if (!froms.has(room)) continue;
    if (from === null) rule(froms.get(room) >= position, 'WELC-10', `from of ${room}`);
    else if (same && !gone.has(room)) rule(froms.get(room) === from, 'WELC-10', `from of ${room}, which was ${from}`);
  }
  if (!hello.rooms.some(({ room }) => room === welcome.identity) && !gone.has(welcome.identity)) {
    rule(froms.get(welcome.identity) === position, 'WELC-11', 'from of its own subject');
  }
  rule(typeof welcome.durable === 'boolean' && isNumber(welcome.time), 'WELC-2', 'durable, time');
  rule(isNumber(welcome.heartbeat, 5_000, 300_000), 'WELC-2', 'heartbeat');
  rule(welcome.window === 0 || isNumber(welcome.window, 1_000, 600_000), 'AWAY-1', 'window');
  rule(isNumber(welcome.limits?.message, 1_024, 67_108_864), 'LIM-2', 'limits.message');
  rule(isNumber(welcome.limits?.rooms, 1, 256), 'LIM-11', 'limits.rooms');
  rule(welcome.expires === null || isNumber(welcome.expires), 'WELC-2', 'expires');
  rule(Array.isArray(welcome.features) && welcome.features.every((one) => hello.features.includes(one)), 'WELC-14', 'features');
  return broken;
}

export function cut(text, most = 200) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
