// One link of a client: what it asks for, and what it is told (docs/PROTOCOL.md §5 to §17).
import { createHash, createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { newest } from './engine.mjs';
import * as frames from './frames.mjs';

const { elements, frame, isSubject, must, restamp, spell, subjectOf } = frames;
const WINDOW = 8_192, MIB = 1_048_576; // [LIM-8], [CRED-4]; [LIM-9], `limits.message`, [NODE-14], [PAGE-4]
const MOST = 256; // rooms, refusals, running requests, messages of a page: [LIM-11], [LIM-10], [REQ-16], [LIM-14]
const HELLO = 262_144, SMALL = 16_384; // [LIM-6], [LIVE-13]
export const FRAME = MIB + 32_768, TICK_MS = 250; // [LIM-3]

export function accept(server, ws, socket) {
  const { options, engine } = server, opened = Date.now(), before = socket.bytesRead;
  const filter = new Map(), joins = new Set(), pages = new Set(), lanes = {}; // subject → from; what is unanswered
  let greeted, open, ended, finishing, renewing, record, producer, identity, expires, probe, asked, ponging;
  let heard = opened, got = before, taking = opened, taken = 0, advanced = 0, pings = 0;
  let announced = 0, sent = 0, confirmed = 0, waiting = 0, casting = 0, unacked = 0, settled = 0; // octets
  let named, oldest, acked, credit; // numbers of messages upwards
  let told, scan, seen, brought; // downwards; [s, messages, octets] processed, [messages, octets] pushed or held

  ws.on('error', () => {}); // `close` follows
  ws.on('close', () => end(1000));
  ws.on('message', (data, binary) => guard(() => read(data, binary)));
  socket.on('data', () => greeted || socket.bytesRead - before < 2 * HELLO || end(1009)); // [SEC-9]
  /** Work of this link: what goes wrong ends it. */
  async function guard(work) {
    try { await (ended || work()); } catch (error) {
      const { closes, message } = error instanceof SyntaxError ? { closes: 4002 } : error;
      if (!closes) console.error(error);
      end(closes ?? 1011, closes && message);
    }
  }
  /** Work behind all earlier work of its lane. */
  const inTurn = (lane, work) => (lanes[lane] = Promise.resolve(lanes[lane]).then(() => guard(work)));

  function end(code, reason) {
    if (ended) return;
    [ended, open] = [true, false];
    server.links.delete(link);
    if (record?.owner === link) record.owner = null;
    ws.resume(); // octets that are left unread might turn the close into a reset, [CLOSE-11]
    ws.close(code, reason);
    if (code === 4003 || code === 4007) setImmediate(() => ws.terminate());
  }

  function read(data, binary) {
    must(data.length <= (greeted ? FRAME : HELLO), 'ERR-5', 1009);
    must(finishing || !announced || (data.length > SMALL && data.length <= announced), 'ERR-25');
    announced = 0;
    if (finishing || (open && data.toString('latin1', 0, 2) === 'x-')) return null;
    const { verb, args, body } = frames.parse(data, binary);
    must((verb === 'hello') === !greeted && (!greeted || open || verb === 'bye'), 'ERR-9');
    greeted = true;
    return on[verb](...args, body, binary);
  }
  /** Resolves when the transport has taken it. While too much but pushes waits for that, nothing is read, [NODE-14]. */
  function write(data, counts = 1) {
    const size = Buffer.byteLength(data);
    const wait = (octets) => ended || ws[(waiting += counts * octets) > MIB ? 'pause' : 'resume']();
    if (open && size > SMALL) ws.send(`more ${size}`);
    sent += size; wait(size);
    return new Promise((resolve) => ws.send(data, () => resolve(wait(-size))));
  }
  /** A `page` or `reply`: one at a time, while little else waits. */
  const answer = (data) => inTurn('answers', async () => {
    while (waiting > 65_536 && !ended) await sleep(5);
    await write(data, 0);
  });
  /** One at a time, for all pings that have come ([LIVE-1]). */
  async function pong() {
    for (let x; x !== asked; ) await write(`pong ${(x = asked)}`);
    ponging = null;
  }

  function tick(now) {
    if (socket.bytesRead !== got || ws.isPaused) [heard, got] = [now, socket.bytesRead];
    must(greeted || now < opened + 10_000 + Math.min(110_000, got - before), 'HELLO-12', 4001);
    if (!open) return;
    must(now < expires + 90_000, 'AUTH-5', 4401);
    record.used = now; // [NODE-11]
    if (scan > told && now - advanced >= 10_000) advance();
    const { bytesWritten = 0, writeQueueSize = 0 } = socket._handle ?? {}, took = bytesWritten - writeQueueSize;
    if (!writeQueueSize || took - taken >= 4_096) [taken, taking] = [took, now];
    must(now - taking < 60_000, 'CODE-4007', 4007);
    const late = probe ? now - Math.max(heard, probe.at) - 20_000 - (sent - confirmed + announced) / 4 : 0;
    const again = late > 1_000 && !probe.again; // this end has slept, [LIVE-11]
    must(late <= 0 || again, 'LIVE-4', 4003);
    const quiet = now - heard < options.heartbeat && sent - confirmed < 65_536; // [LIVE-3]
    if (!again && (probe || quiet)) return;
    probe = { at: now, sent, again }; write(`ping ${(pings += 1)}`);
  }

  const ask = (hook) => within(10_000, hook).catch(() => must(false, 'a hook has failed or is late', 4004));
  const nameOf = (who) => who.identity ?? `anon_${createHash('sha256').update(`everwire ${producer}`).digest('hex')}`;
  /** The position since which this identity may read a subject, or the code of a denial. */
  async function mayRead(hook, subject) {
    if (subject === identity) return 0;
    if (!isSubject(subject)) return 'malformed';
    if (/^(_|user_|anon_)/.test(subject)) return 'forbidden'; // [ROOM-11]
    const since = await ask(() => options[hook](identity, subject));
    return since === true ? 0 : Number.isInteger(since) ? Math.min(since, engine.head) : 'forbidden';
  }
  const denial = (room, since) => (isNaN(since) ? since : filter.size > MOST && !filter.has(room) && 'too-many');
  /** Proves that a `from` was given, [ROOM-9]. */
  function sign(room, from) {
    const bound = JSON.stringify([identity, room, from, engine.epoch]);
    return `${from}.${createHmac('sha256', server.key).update(bound).digest('base64url')}`;
  }
  /** Whether a room of `hello` may be read, since when, and whether its `from` may be believed ([ROOM-10]). */
  async function authorise({ room, from, grant = '' }) {
    const since = await mayRead('mayJoin', room), granted = Number(grant.split('.')[0]);
    const isProven = from === null || (granted <= from && grant === sign(room, granted));
    return { room, from, since, isValid: isProven || (await mayRead('mayPage', room)) <= from };
  }

  async function hello(body) {
    const said = frames.readHello(body), complete = Date.now();
    must(server.leaving === undefined, `window=${server.leaving}`, 1012);
    const who = (await ask(() => options.authenticate(said.token))) || must(false, 'credential refused', 4401);
    let rooms;
    const claim = async (terms) => {
      producer = terms.producer; identity = nameOf(who);
      must(isSubject(identity) && /^(user|anon)_/.test(identity), 'HELLO-13', 4403);
      rooms = await Promise.all(said.rooms.map(authorise));
      must(!ended && Date.now() < complete + 30_000, 'HELLO-16', 4004);
      return engine.claim(terms, identity, link);
    };
    const kept = await claim(said), next = { ...said, producer: said.successor, oldest: 1, written: 0, born: null };
    record = kept ?? (said.written ? await claim(next) : null);
    must(record, 'HELLO-17', 4005);
    const same = said.logEpoch === engine.epoch, until = Date.now() + 5_000;
    const highest = same ? Math.max(said.position, ...said.rooms.map(({ from }) => from)) : 0;
    while (highest > engine.head) await sleep(TICK_MS).then(() => must(Date.now() < until, 'EPOCH-6', 4004));
    if (!ended) welcome(said, kept ? said : next, same, rooms, who);
  }

  function welcome(said, terms, same, rooms, who) {
    const { epoch, head, floor } = engine, { mark, born, refused, inbox } = record, denied = [], lost = [];
    const position = same ? said.position : head;
    const own = { room: identity, from: same ? position : null, since: 0, isValid: true }; // [WELC-11]
    if (!rooms.some(({ room }) => room === identity)) rooms.push(own);
    filter.set(identity, head); // beside the 256, wherever it stands
    for (const { room, from, since, isValid } of rooms) {
      const code = denial(room, since);
      const keeps = from !== null && same && isValid && Math.max(since, floor) <= Math.max(position, from);
      if (code) denied.push({ room, code });
      else filter.set(room, keeps ? from : head);
      if (!code && from !== null && !keeps) lost.push(room); // [LOST-1], [LOST-2], [EPOCH-1]
    }
    [oldest, named, acked, credit, told, scan] = [terms.oldest, mark, mark, mark, position, position];
    [seen, brought, credit, expires] = [[position, 0, 0], said.held, allowed(), Date.now() + (who.expires ?? Infinity)];
    write(`welcome\n${JSON.stringify({
      version: 1, identity, producer: terms === said ? 'kept' : 'successor', born, mark, refused: [...refused], credit,
      logEpoch: epoch, position, denied, lost: lost.length ? { subjects: lost, first: head + 1 } : null, durable: false,
      rooms: [...filter].map(([room, from]) => ({ room, from, grant: sign(room, from) })),
      heartbeat: options.heartbeat, window: options.window, limits: { message: MIB, rooms: MOST },
      expires: who.expires ?? null, time: Date.now(), features: [],
    })}`);
    open = true;
    for (const one of inbox) if (terms === said && said.pending.includes(one.n)) reply(one);
    flow();
  }
  /** Reads nothing more; ends with the last verdict, or after 5 s. */
  async function finish(code, reason) {
    if (!open) return end(code === 1000 ? 1000 : 1012, reason);
    finishing = true; await Promise.race([lanes.verdicts, sleep(5_000)]); flow();
    if (open && scan > told) advance();
    return end(code, reason);
  }

  // ——— upwards ———
  function send(n, count, first, body, binary) {
    must(n === named + 1 && count <= 1_024 && (!count || n + count - 1 <= credit), 'SEND-8, SEND-9');
    must(first >= oldest && first <= n && first <= acked + 1, 'SEND-12');
    const messages = elements(body, binary);
    must(messages.length === count, 'ERR-7');
    oldest = first;
    engine.release(record, oldest); // ahead of what waits, [SEND-15]
    flow();
    for (const message of messages) {
      must(unacked < 4 * MIB, 'CRED-6');
      unacked += message.length; named += 1; inTurn('verdicts', () => settle(message));
    }
  }
  /** Gives a number its verdict, as soon as there is a place for it ([REF-4], [REQ-16]). */
  async function settle(one) {
    const { code, request, message } = await judge(one, true);
    const kept = code ? record.refused : request && record.running;
    while (!ended && kept?.size >= MOST) await sleep(5);
    if (ended) return;
    if (code) record.refused.set((record.mark += 1), code);
    else engine.append(record, message);
    if (request) run(record.mark, request);
    settled += one.length; server.soon();
  }
  /** A code to refuse with, a request to run, or the message to store or to cast. */
  async function judge(one, isNumbered) {
    const { value, length, content } = one, { receiver } = Object(value);
    if (value === null && !content) return { code: 'withdrawn' };
    if (length > MIB) return { code: 'too-large' };
    const isRequest = isNumbered && value?.meta?.request === true;
    const isAddress = receiver == null || (typeof receiver === 'string' && (isRequest || isSubject(receiver)));
    if (!isAddress || restamp(one, {}) === null) return { code: 'malformed' };
    const given = content ? { ...value, content } : value;
    const hook = () => within(10_000, () => options.onMessage(given, identity));
    const said = await (isNumbered ? hook().catch(hook).catch(hook) : hook()).catch(() => must(false, 'SEND-18', 4004));
    if (said?.refuse) return { code: said.refuse };
    if (isRequest) return { request: given };
    const subject = said?.receiver ?? receiver;
    if (subject == null || subject.startsWith('_')) return { code: subject == null ? 'no-receiver' : 'forbidden' };
    const text = restamp(one, { sender: identity, receiver: subject });
    const body = content ? Buffer.concat([Buffer.from(`${text}\n`), content]) : text;
    return { message: { subject, body, size: Buffer.byteLength(body) } };
  }
  /** Runs a request, and puts the answer into the producer's inbox before it goes out. */
  async function run(n, { type, content }) {
    const handler = Object.hasOwn(options.handlers, type) ? options.handlers[type] : () => fail('unhandled');
    const work = async () => {
      const text = JSON.stringify({ type, content: await handler(content, identity) });
      return Buffer.byteLength(text) > MIB ? fail('too-large') : text;
    };
    const body = await within(options.requestTimeout, work, record.running).catch((error) => {
      const { code = 'failed', message = 'failed' } = Object(error);
      return JSON.stringify({ type: 'error', content: { code, message } });
    });
    const one = { n, body, size: Buffer.byteLength(body) };
    newest(record.inbox, 511, 8_388_608 - one.size).push(one); // [REQ-5]
    record.owner?.reply(one);
  }
  const reply = (one) => { if (open) answer(frame(`reply ${one.n}`, one.body)); flow(); };

  function cast(body, binary) {
    const messages = elements(body, binary);
    must(messages.length > 0 && messages.length <= 1_024, 'FRM-5');
    if (casting > MIB) return; // too many wait for their hooks
    casting += body.length;
    inTurn('casts', async () => {
      for (const one of messages) {
        const { message } = await judge(one, false).catch(() => ({}));
        if (message) server.links.forEach((other) => other.pass(message));
      }
      casting -= body.length;
    });
  }

  // ——— downwards ———
  const shut = () => brought[0] - seen[1] >= WINDOW || brought[1] - seen[2] >= MIB;
  const allowed = () =>
    (record.refused.size < MOST && record.running.size < MOST ? Math.max(credit, record.mark + WINDOW) : credit);
  const pass = (message) =>
    open && filter.has(message.subject) && !shut() && ws.bufferedAmount <= 65_536 && write(frame('cast', message.body));
  /** Says what can be said: verdicts and credit, what has been lost, and messages. */
  function flow() {
    if (!open) return;
    const codes = [...record.refused].filter(([n]) => n > acked).map(([n, code]) => ` ${n}:${code}`), more = allowed();
    if (record.mark > acked || more > credit) write(`ack ${record.mark} ${more}${codes.join('')}`);
    [acked, credit, unacked, settled] = [record.mark, more, unacked - settled, 0];
    const { epoch, floor, head } = engine;
    const subjects = [...filter.keys()].filter((subject) => floor > Math.max(scan, filter.get(subject)));
    for (const subject of subjects) filter.set(subject, head);
    if (subjects.length) write(`lost\n${JSON.stringify({ logEpoch: epoch, subjects, first: head + 1 })}`);
    if (shut()) return; // nothing passes what is not written, [POS-11]
    for (const message of engine.after(filter, scan)) {
      const data = frame(`push ${told} ${message.s} ${message.s}`, message.body);
      const octets = Math.min(262_144, Buffer.byteLength(data) - data.indexOf('\n') - 1); // [CRED-9]
      [told, scan, brought] = [message.s, message.s, [brought[0] + 1, brought[1] + octets]];
      write(data, 0);
      if (shut()) return;
    }
    scan = head;
  }
  const advance = () => { write(`advance ${told} ${scan}`); [told, advanced] = [scan, Date.now()]; };

  function join(room) {
    must(!joins.has(room), 'ERR-19');
    joins.add(room);
    const subject = subjectOf(room), known = mayRead('mayJoin', subject);
    known.catch(() => {}); // it is for its turn
    inTurn('joins', async () => {
      const code = denial(subject, await known);
      joins.delete(room);
      if (code) return write(`denied ${room} ${code}`);
      const from = Math.max(filter.get(subject) ?? engine.head, told); // [ROOM-13], [ROOM-4]
      filter.set(subject, from);
      return write(`joined ${room} ${from} ${sign(subject, from)}`);
    });
  }

  async function page(id, room, before, count) {
    must(count >= 1 && count <= MOST && pages.size < 4 && !pages.has(id), 'ERR-21');
    pages.add(id);
    const subject = subjectOf(room), since = await mayRead('mayPage', subject).catch(() => 'unavailable');
    const all = [...engine.after(new Map([[subject, since]]), 0)].filter(({ s }) => s < before);
    const messages = newest(all.slice(-count), count, MIB), state = messages.length < all.length ? 'cut' : 'end';
    if (isNaN(since)) answer(`page ${id} !${since}`);
    else if (!messages.length) answer(`page ${id} end\n[]`);
    const last = messages.at(-1);
    for (const one of messages) answer(frame(`page ${id} ${one === last ? state : 'more'} ${one.s}`, one.body));
    inTurn('answers', () => pages.delete(id));
  }

  function auth(body) {
    const { token } = frames.object(body);
    must(body.length <= 65_536 && frames.isToken(token) && !renewing, 'LIM-17, ERR-27');
    renewing = true;
    inTurn('joins', async () => {
      const who = (await ask(() => options.authenticate(token))) || must(false, 'credential refused', 4401);
      must(nameOf(who) === identity, 'AUTH-3', 4010);
      const rooms = await Promise.all([...filter.keys()].map(async (room) => [room, await mayRead('mayJoin', room)]));
      const revoked = rooms.filter(([room, since]) => isNaN(since) && filter.delete(room));
      for (const [room] of revoked) write(`denied ${spell(room)} revoked`);
      [renewing, expires] = [false, Date.now() + (who.expires ?? Infinity)];
      write(`auth\n${JSON.stringify({ expires: who.expires ?? null, renewed: true })}`);
    });
  }

  const on = {
    hello, send, cast, join, page, auth, vis() {},
    leave: (room) => subjectOf(room) !== identity && !joins.has(room) && filter.delete(subjectOf(room)),
    ping: (x) => { asked = x; ponging ??= pong(); },
    pong: (x) => { if (probe && x === pings) [confirmed, probe] = [probe.sent, null]; },
    more: (octets) => { must(octets > SMALL, 'LIVE-14'); announced = Math.min(octets, FRAME); },
    bye: (s) => { must(!open || (s >= seen[0] && s <= told), 'CRED-16'); finish(1000); },
    seen(...totals) {
      must([told, ...brought].every((bound, i) => totals[i] >= seen[i] && totals[i] <= bound), 'CRED-16');
      seen = totals; flow();
    },
  };
  const link = { end, guard, tick, flow, pass, reply, finish, say: (data) => open && write(data) };
  return link;
}

const fail = (code) => { throw Object.assign(new Error(code), { code }); };

/** The outcome of a hook or handler; `running` holds the ways to give up on it. */
function within(ms, work, running = new Set()) {
  return new Promise((resolve, reject) => {
    const settle = (how) => (outcome) => { clearTimeout(timer); running.delete(giveUp); how(outcome); };
    const giveUp = settle((code) => reject(Object.assign(new Error('given up'), { code })));
    const timer = setTimeout(giveUp, ms, 'timeout');
    running.add(giveUp); Promise.resolve().then(work).then(settle(resolve), settle(reject));
  });
}
