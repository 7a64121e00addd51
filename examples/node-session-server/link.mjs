// One link of a client: what it asks for, and what it is told (docs/PROTOCOL.md §5 to §17).
import { createHash, createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AUTH, HELLO, batch, elements, frame, isSubject, must, parse, readObject, restamp, spell, subjectOf } from './frames.mjs';

const WINDOW = 8_192, WINDOW_OCTETS = 1_048_576; // [LIM-8], [LIM-9]
const MOST = 256; // rooms, refusals, requests, and messages of a page: [LIM-11], [LIM-10], [REQ-16], [LIM-14]
const MESSAGE = 1_048_576; // [LIM-2]
const HELLO_OCTETS = 262_144; // [LIM-6]
export const FRAME_OCTETS = MESSAGE + 32_768; // [LIM-3]
const SMALL = 16_384; // [LIVE-13]
export const TICK_MS = 250;
const IDENTITY = /^(user|anon)_/; // every other subject is a room, [ROOM-12]
const UNAVAILABLE = 'unavailable'; // the answer of a hook that fails or is late

export function accept(server, ws, socket) {
  const { options, engine } = server;
  const filter = new Map(); // subject → from
  const joins = new Set(), pages = new Set(); // unanswered
  const lanes = {}; // promises of the last work in each
  const opened = Date.now(), before = socket.bytesRead;
  let greeted, open, ended, finishing, renewing, record, producer, identity, expires;
  let heard = opened, got = before, taking = opened, taken = 0, probe, pings = 0, asked, ponging;
  let announced = 0, sent = 0, confirmed = 0, waiting = 0, casting = 0; // octets
  let named, oldest, acked, credit, unacked = 0, settled = 0; // upwards; the last two in octets
  let told, scan, advanced = 0, seen, brought; // downwards; the last two: [s, messages, octets], [messages, octets]

  ws.on('error', () => {}); // `close` follows
  ws.on('close', gone);
  ws.on('message', (data, binary) => guard(() => read(data, binary)));
  socket.on('data', () => greeted || socket.bytesRead - before < 2 * HELLO_OCTETS || end(1009)); // [SEC-9]

  /** Work of this link: what goes wrong ends it. */
  async function guard(work) {
    try {
      await (ended || work());
    } catch (error) {
      const closes = error instanceof SyntaxError ? 4002 : error.closes;
      if (!closes) console.error(error);
      end(closes ?? 1011, error.closes ? error.message : '');
    }
  }

  /** Work behind all earlier work of its lane. */
  function inTurn(lane, work) {
    lanes[lane] = Promise.resolve(lanes[lane]).then(() => guard(work));
  }

  function end(code, reason) {
    if (ended) return;
    gone();
    ws.resume(); // octets that are left unread might turn the close into a reset, [CLOSE-11]
    ws.close(code, reason);
    if (code === 4003 || code === 4007) setImmediate(() => ws.terminate());
  }

  function gone() {
    [ended, open] = [true, false];
    server.links.delete(link);
    if (record?.owner === link) record.owner = null;
  }

  function read(data, binary) {
    if (finishing) return;
    must(data.length <= (greeted ? FRAME_OCTETS : HELLO_OCTETS), 'ERR-5', 1009);
    must(!announced || (data.length > SMALL && data.length <= announced), 'ERR-25');
    announced = 0;
    if (open && data.toString('latin1', 0, 2) === 'x-') return;
    const { verb, args, body } = parse(data, binary);
    must((verb === 'hello') === !greeted, 'ERR-9');
    must(!greeted || open || verb === 'bye', 'HELLO-2');
    greeted = true;
    return on[verb](...args, body, binary);
  }

  /** Resolves when the transport has taken it; while too much waits for that, nothing is read ([NODE-14]). */
  function write(data, counts = true) {
    const size = Buffer.byteLength(data);
    if (open && size > SMALL) ws.send(`more ${size}`);
    const wait = (octets) => {
      waiting += counts ? octets : 0;
      if (!ended) ws[waiting > 1_048_576 ? 'pause' : 'resume']();
    };
    sent += size;
    wait(size);
    return new Promise((resolve) => ws.send(data, () => resolve(wait(-size))));
  }

  /** A `page` or `reply`: one at a time, while little else waits. */
  function answer(data) {
    inTurn('answers', async () => {
      while (waiting > 65_536 && !ended) await sleep(5);
      await write(data, false);
    });
  }

  /** One pong at a time, which answers all earlier pings ([LIVE-1]). */
  async function pong() {
    for (let x; x !== asked; ) await write(`pong ${(x = asked)}`);
    ponging = null;
  }

  function tick(now) {
    const { bytesRead, _handle: { bytesWritten, writeQueueSize } } = socket;
    if (bytesRead !== got || ws.isPaused) [heard, got] = [now, bytesRead];
    must(greeted || now < opened + 10_000 + Math.min(110_000, got - before), 'HELLO-12', 4001);
    if (!open) return;
    must(now < expires + 90_000, 'AUTH-5', 4401);
    record.used = now; // [NODE-11]
    if (scan > told && now - advanced >= 10_000) advance();
    if (!writeQueueSize || bytesWritten - writeQueueSize - taken >= 4_096) [taken, taking] = [bytesWritten - writeQueueSize, now];
    must(now - taking < 60_000, 'CODE-4007', 4007);
    const late = probe ? now - Math.max(heard, probe.at) - 20_000 - (sent - confirmed + announced) / 4 : 0; // [LIVE-4]
    const again = late > 1_000 && !probe.again; // this end has slept, [LIVE-11]
    must(late <= 0 || again, 'LIVE-4', 4003);
    if (!again && (probe || now - heard < options.heartbeat)) return;
    write(`ping ${(pings += 1)}`);
    probe = { at: now, sent, again };
  }

  /** The answer of a hook: a promise that does not fail. */
  const ask = (work) => within(10_000, work).catch(() => UNAVAILABLE);

  /** The position since which this identity may read a subject, or the code of a denial. */
  async function mayRead(hook, subject) {
    if (!isSubject(subject)) return 'malformed';
    if (subject === identity) return 0;
    if (subject.startsWith('_') || IDENTITY.test(subject)) return 'forbidden';
    const since = await ask(() => options[hook](identity, subject));
    if (since === UNAVAILABLE) return since;
    return since === true ? 0 : Number.isInteger(since) ? Math.min(since, engine.head) : 'forbidden';
  }

  /** Proves that a `from` was given, [ROOM-9]. */
  function grant(room, from) {
    const bound = JSON.stringify([identity, room, from, engine.epoch]);
    return `${from}.${createHmac('sha256', server.grantKey).update(bound).digest('base64url')}`;
  }

  /** Whether a room of `hello` may be read, since when, and whether its `from` may be believed ([ROOM-10]). */
  async function authorise({ room, from, grant: given }) {
    const since = await mayRead('mayJoin', room);
    must(since !== UNAVAILABLE, 'HELLO-15', 4004);
    const granted = Number(given?.split('.')[0]);
    const valid = from === null || (granted <= from && given === grant(room, granted)) || (await mayRead('mayPage', room)) <= from;
    return { room, from, since, valid };
  }

  async function authenticate(token) {
    const who = await ask(() => options.authenticate(token));
    must(who !== UNAVAILABLE, 'HELLO-15', 4004);
    must(who, 'credential refused', 4401);
    return who;
  }

  const nameOf = (who) => who.identity ?? `anon_${createHash('sha256').update(`everwire identity ${producer}`).digest('hex')}`;

  function expire({ expires: ms = null }) {
    expires = Date.now() + (ms ?? Infinity);
    return ms;
  }

  async function hello(body) {
    const said = readObject(body, HELLO), complete = Date.now();
    must(server.leaving === null, `window=${server.leaving}`, 1012);
    const who = await authenticate(said.token);
    let rooms;
    const claim = async (terms) => {
      producer = terms.producer;
      identity = nameOf(who);
      must(isSubject(identity) && IDENTITY.test(identity), 'HELLO-13', 4403);
      rooms = await Promise.all(said.rooms.map(authorise));
      must(Date.now() < complete + 30_000, 'HELLO-16', 4004);
      return ended ? {} : engine.claim(terms, identity, link);
    };
    let claimed = await claim(said);
    const kept = claimed !== 'unknown' || !said.written;
    if (!kept) claimed = await claim({ ...said, producer: said.successor, oldest: 1, written: 0, born: null });
    if (ended) return;
    must(claimed !== 'full', `window=${options.window}`, 1013);
    must(claimed.born, 'HELLO-17', 4005);
    record = claimed;
    const same = said.logEpoch === engine.epoch;
    const highest = same ? Math.max(said.position, ...said.rooms.map(({ from }) => from)) : 0;
    for (const begun = Date.now(); highest > engine.head && !ended; await sleep(TICK_MS)) must(Date.now() < begun + 5_000, 'EPOCH-6', 4004);
    if (!ended) welcome(said, who, rooms, same, kept);
  }

  function welcome(said, who, rooms, same, kept) {
    const { epoch, head, floor } = engine, { mark, born, refused, inbox } = record;
    const position = same ? said.position : head;
    const denied = [], lost = [];
    if (!rooms.some(({ room }) => room === identity)) rooms.push({ room: identity, from: same ? position : null, since: 0, valid: true });
    filter.set(identity, head); // beside the 256, wherever it stands
    for (const { room, from, since, valid } of rooms) {
      const code = typeof since === 'string' ? since : room !== identity && filter.size > MOST && 'too-many';
      const keeps = from !== null && same && valid && Math.max(since, floor) <= Math.max(position, from);
      if (code) denied.push({ room, code });
      else filter.set(room, keeps ? from : head);
      if (!code && from !== null && !keeps) lost.push(room);
    }
    [oldest, named, acked, credit] = [kept ? said.oldest : 1, mark, mark, mark];
    [told, scan, seen, brought] = [position, position, [position, 0, 0], [...said.held]];
    credit = allowed();
    write(`welcome\n${JSON.stringify({
      version: 1, identity, producer: kept ? 'kept' : 'successor', born, mark, refused: [...refused], credit, logEpoch: epoch, position,
      rooms: [...filter].map(([room, from]) => ({ room, from, grant: room === identity ? undefined : grant(room, from) })),
      denied, lost: lost.length ? { subjects: lost, first: head + 1 } : null, durable: false,
      heartbeat: options.heartbeat, window: options.window, limits: { message: MESSAGE, rooms: MOST },
      expires: expire(who), time: Date.now(), features: [],
    })}`);
    open = true;
    for (const one of inbox) if (kept && said.pending.includes(one.n)) reply(one);
    flow();
  }

  /** Reads nothing more; ends with the last verdict, or after 5 s. */
  async function finish(code, reason) {
    if (!open) return end(code === 1000 ? 1000 : 1012, reason);
    finishing = true;
    await Promise.race([lanes.verdicts, sleep(5_000)]);
    if (ended) return;
    ack();
    if (scan > told) advance();
    end(code, reason);
  }

  // ——— upwards ———

  function send(n, count, first, body, binary) {
    must(n === named + 1 && count <= 1_024, 'SEND-8');
    must(!count || n + count - 1 <= credit, 'SEND-9');
    must(first >= oldest && first <= n && first <= acked + 1, 'SEND-12');
    const messages = elements(body, binary);
    must(messages.length === count, 'ERR-7');
    oldest = first;
    engine.release(record, oldest); // ahead of what waits, [SEND-15]
    ack();
    for (const message of messages) {
      must(unacked < WINDOW_OCTETS, 'CRED-6');
      unacked += message.length;
      named += 1;
      inTurn('verdicts', () => settle(message));
    }
  }

  /** Gives a number its verdict, as soon as there is a place for it ([REF-4], [REQ-16]). */
  async function settle(one) {
    const { code, message, request } = await judge(one, true);
    while (!ended && (code ? record.refused : request ? record.running : []).size >= MOST) await sleep(5);
    if (ended) return;
    if (code) record.refused.set((record.mark += 1), code);
    else engine.append(record, message);
    if (request) run(record.mark, request);
    settled += one.length;
    server.soon();
  }

  /** A code to refuse with, a request to run, or the message to store or to cast. */
  async function judge(one, numbered) {
    const { value, length, content } = one;
    if (value === null && !content) return { code: 'withdrawn' };
    if (length > MESSAGE) return { code: 'too-large' };
    const request = numbered && value?.meta?.request === true;
    const { receiver } = Object(value);
    const named = receiver == null || (typeof receiver === 'string' && (request || isSubject(receiver)));
    if (!named || restamp(one, {}) === null) return { code: 'malformed' };
    const given = content ? { ...value, content } : value;
    const hook = () => within(10_000, () => options.onMessage(given, identity));
    const said = await (numbered ? hook().catch(hook).catch(hook) : hook()).catch(() => must(false, 'SEND-18', 4004));
    if (said?.refuse) return { code: said.refuse };
    if (request) return { request: given };
    const subject = said?.receiver ?? receiver;
    if (subject == null || subject.startsWith('_')) return { code: subject == null ? 'no-receiver' : 'forbidden' };
    const text = restamp(one, { sender: identity, receiver: subject });
    const body = content ? Buffer.concat([Buffer.from(`${text}\n`), content]) : text;
    return { message: { subject, body, size: Buffer.byteLength(body) } };
  }

  const allowed = () => (record.refused.size < MOST && record.running.size < MOST ? Math.max(credit, record.mark + WINDOW) : credit);

  function ack() {
    const codes = [...record.refused].filter(([n]) => n > acked).map(([n, code]) => ` ${n}:${code}`);
    const grown = allowed();
    if (record.mark > acked || grown > credit) write(`ack ${record.mark} ${grown}${codes.join('')}`);
    [acked, credit, unacked, settled] = [record.mark, grown, unacked - settled, 0];
  }

  /** Runs a request, and puts the answer into the producer's inbox before it goes out. */
  async function run(n, { type, content }) {
    const { handlers, requestTimeout } = options;
    let body;
    try {
      if (!Object.hasOwn(handlers, type)) throw Object.assign(new Error('nobody handles this type'), { code: 'unhandled' });
      body = JSON.stringify({ type, content: await within(requestTimeout, () => handlers[type](content, identity), record.running) });
      if (Buffer.byteLength(body) > MESSAGE) throw Object.assign(new Error('the answer is too long'), { code: 'too-large' });
    } catch (error) {
      const { code = 'failed', message = 'failed' } = Object(error);
      body = JSON.stringify({ type: 'error', content: { code, message } });
    }
    const kept = engine.keep(record, { n, body, size: Buffer.byteLength(body) });
    record.owner?.reply(kept);
  }

  function reply(one) {
    if (!open) return;
    answer(frame(`reply ${one.n}`, [one]));
    ack();
  }

  function cast(body, binary) {
    const messages = elements(body, binary);
    must(messages.length > 0 && messages.length <= 1_024, 'FRM-5');
    if (casting > WINDOW_OCTETS) return; // too many wait for their hooks
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

  const shut = () => brought[0] - seen[1] >= WINDOW || brought[1] - seen[2] >= WINDOW_OCTETS;

  function pass(message) {
    if (open && filter.has(message.subject) && !shut() && ws.bufferedAmount <= 65_536) write(frame('cast', [message]));
  }

  function flow() {
    if (!open) return;
    ack();
    const lost = [...filter].filter(([, from]) => engine.floor > Math.max(scan, from)).map(([subject]) => subject);
    for (const subject of lost) filter.set(subject, engine.head);
    if (lost.length) write(`lost\n${JSON.stringify({ logEpoch: engine.epoch, subjects: lost, first: engine.head + 1 })}`);
    while (scan < engine.head && !shut()) {
      const { lead, next } = batch(engine.after(filter, scan), Math.min(1_024, WINDOW - brought[0] + seen[1]));
      scan = next ? next.s - 1 : engine.head;
      if (!lead.length) return;
      const data = frame(['push', told, scan, ...lead.map(({ s }) => s)].join(' '), lead);
      told = scan;
      brought[0] += lead.length;
      brought[1] += Math.min(262_144, Buffer.byteLength(data) - data.indexOf('\n') - 1); // [CRED-9]
      write(data, false);
    }
  }

  function advance() {
    write(`advance ${told} ${scan}`);
    [told, advanced] = [scan, Date.now()];
  }

  // ——— rooms, pages, credentials ———

  function join(room) {
    must(!joins.has(room), 'ERR-19');
    joins.add(room);
    const subject = subjectOf(room), asked = mayRead('mayJoin', subject);
    inTurn('joins', async () => {
      const since = await asked;
      must(since !== UNAVAILABLE, 'ROOM-21', 4004);
      joins.delete(room);
      const known = filter.get(subject);
      const code = typeof since === 'string' ? since : known === undefined && filter.size > MOST && 'too-many';
      if (code) return write(`denied ${room} ${code}`);
      const from = known === undefined ? engine.head : Math.max(known, told); // [ROOM-4], [ROOM-13]
      filter.set(subject, from);
      return write(`joined ${room} ${from} ${grant(subject, from)}`);
    });
  }

  async function page(id, room, before, count) {
    must(count >= 1 && count <= MOST && pages.size < 4 && !pages.has(id), 'ERR-21');
    pages.add(id);
    const since = await mayRead('mayPage', subjectOf(room));
    const done = () => inTurn('answers', () => pages.delete(id));
    if (typeof since === 'string') {
      answer(`page ${id} !${since}`);
      return done();
    }
    const { messages, older } = engine.page(subjectOf(room), since, before, count);
    do {
      const { lead, next } = batch(messages, MOST);
      messages.splice(0, lead.length);
      answer(frame(['page', id, next ? 'more' : older ? 'cut' : 'end', ...lead.map(({ s }) => s)].join(' '), lead));
    } while (messages.length);
    done();
  }

  function auth(body) {
    must(body.length <= 65_536, 'LIM-17');
    const { token } = readObject(body, AUTH);
    must(!renewing, 'ERR-27');
    renewing = true;
    inTurn('joins', async () => {
      const who = await authenticate(token);
      must(nameOf(who) === identity, 'AUTH-3', 4010);
      const answers = await Promise.all([...filter.keys()].map(async (room) => [room, await mayRead('mayJoin', room)]));
      must(answers.every(([, since]) => since !== UNAVAILABLE), 'ROOM-21', 4004);
      for (const [room, since] of answers) if (typeof since === 'string' && filter.delete(room)) write(`denied ${spell(room)} revoked`);
      renewing = false;
      write(`auth\n${JSON.stringify({ expires: expire(who), renewed: true })}`);
    });
  }

  const on = {
    hello, send, cast, join, page, auth,
    vis: () => {},
    leave: (room) => subjectOf(room) !== identity && !joins.has(room) && filter.delete(subjectOf(room)),
    ping(x) {
      asked = x;
      ponging ??= pong();
    },
    pong(x) {
      if (probe && x === pings) [confirmed, probe] = [probe.sent, null];
    },
    more(octets) {
      must(octets > SMALL, 'LIVE-14');
      announced = Math.min(octets, FRAME_OCTETS);
    },
    bye(s) {
      must(!open || (s >= seen[0] && s <= told), 'CRED-16');
      finish(1000);
    },
    seen(...totals) {
      const bounds = [told, ...brought];
      must(bounds.every((bound, i) => totals[i] >= seen[i] && totals[i] <= bound), 'CRED-16');
      seen = totals;
      flow();
    },
  };

  const link = { end, guard, tick, flow, pass, reply, finish, goaway: (data) => open && write(data) };
  return link;
}

/** The outcome of a hook or handler; `running` holds the ways to give up on it. */
function within(ms, work, running = new Set()) {
  return new Promise((resolve, reject) => {
    const settle = (how) => (outcome) => {
      clearTimeout(timer);
      running.delete(giveUp);
      how(outcome);
    };
    const giveUp = settle((code) => reject(Object.assign(new Error(`given up: ${code}`), { code })));
    const timer = setTimeout(giveUp, ms, 'timeout');
    running.add(giveUp);
    Promise.resolve().then(work).then(settle(resolve), settle(reject));
  });
}
