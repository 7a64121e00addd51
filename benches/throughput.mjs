// Messages a second and round trips in Chromium, in both deliveries, beside one envelope a frame on a bare WebSocket: in one
// page, in turns. Beside exactly once also what framing alone gives: as many messages in arrays of a frame's size, written and
// parsed, with nobody to know whether they arrive. It is the most that there is to have.
//
//   cargo xtask bench                      everything
//   node benches/throughput.mjs [--rounds N] [--json FILE] [--only WORDS] [--watched]
//
// `--only 'out loopback best effort'` makes the rows that begin so, and no round trips.
// The pages are not Playwright's: that has every frame reported to it, which costs more than the frame (67 µs of a received one
// instead of 26). These are driven over the same protocol, and nothing but what they return is reported, unless they are
// `--watched`, as by whoever has the developer tools open: then who sends fewer frames looks better.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';
import { packageDir, startSite } from '../tests/e2e/harness/site.mjs';
import { startTabs } from '../tests/e2e/harness/tabs.mjs';
import { startProxy } from '../tests/e2e/proxy.mjs';
import { median, perSecond, startServer, table } from './harness.mjs';

const { connect } = await import(`${packageDir}/exactly-once.js`);
/** Of the whole envelope, whoever has made it: what the id has more than that of the bare socket, the content has less. */
const ENVELOPE_BYTES = 200;
const envelope = (id, content) => JSON.stringify({ id, type: 'text', sender: 'user_1', receiver: 'room', content, timestamp: 1_790_000_000_000, meta: { read: false, delivered: false } });
const contentBeside = (id) => 'x'.repeat(ENVELOPE_BYTES - envelope(id, '').length);
const BARE_ID = '00000000-0000-00000';
const BARE_CONTENT = contentBeside(BARE_ID);
/** 96 random bits, the ticket, 32 random bits. */
const ID = `${'0'.repeat(24)}-00000-0000000000`;
const CONTENT = contentBeside(ID);
const ONE_WAY_MS = 25;
/** As everwire fills its frames. */
const FRAME_BYTES = 57_344;
/**
 * Messages of a burst; how many of them go by before the clock starts, so that a link is up; and bursts a round. What best effort
 * adds to a message is little beside what the two differ from burst to burst, so it needs many.
 */
const BURSTS = {
  'best effort': { many: 2_000, skip: { out: 0, in: 100 }, aRound: 60 },
  'exactly once': { many: 20_000, skip: { out: 0, in: 5_000 }, aRound: 10 },
};

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, json: { type: 'string' }, only: { type: 'string', default: '' }, watched: { type: 'boolean', default: false } } });
const rounds = Number(values.rounds);

/** So many of a message, as framing alone has them: a line that says how many, and an array. */
const framed = (many, message) => `${many}\n[${Array(many).fill(message)}]`;

/** Counts what comes and says so when it was enough; sends as much as it is asked for; or sends everything back. */
async function startBare() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  server.on('connection', (ws, request) => {
    let left = 0;
    ws.on('message', (data) => {
      if (left) {
        // A frame of many begins with their number.
        left -= data[0] === 0x7b ? 1 : parseInt(data.subarray(0, 8), 10);
        if (!left) ws.send('{"type":"done"}');
        return;
      }
      if (request.url === '/echo') {
        ws.send(data, { binary: false });
        return;
      }
      // An envelope has what is asked for in its content.
      const asked = JSON.parse(data);
      const { expect, give, message, perFrame = 1 } = asked.content ?? asked;
      if (expect) left = expect;
      const frame = perFrame > 1 ? framed(perFrame, message) : message;
      for (let at = 0; at + perFrame <= give; at += perFrame) ws.send(frame);
      if (give % perFrame) ws.send(framed(give % perFrame, message));
    });
  });
  await once(server, 'listening');
  return { port: server.address().port, close: () => new Promise((resolve) => server.close(resolve)) };
}

// ——— in the page ———

/**
 * Both in one page, for from page to page what a frame costs differs by half: `window.rate(side)` is a burst, and resolves with its
 * messages a second. Out, a burst is over when the server has it: in best effort and on the bare socket it says so, and in exactly
 * once every message has its receipt. In, when the last one has been heard.
 */
async function prepare({ direction, delivery, bareUrl, url, many, skip, content, bareContent, message, perFrame }) {
  const exactly = delivery === 'exactly once';
  const { connect } = await import(exactly ? 'everwire/exactly-once' : 'everwire');
  const socket = new WebSocket(bareUrl);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const wire = connect(url, { sender: 'user_1', outbox: { maxMessages: many + 1, maxBytes: 64 << 20 } });
  await new Promise((resolve) => wire.addEventListener('open', resolve, { once: true }));
  let left;
  let startsAt;
  let began;
  let done;
  const heard = ({ type }) => {
    if (type === 'text' && --left === startsAt) began = performance.now();
    if (type === 'done' || !left) done();
  };
  socket.onmessage = ({ data }) => {
    if (data[0] === '{') heard(JSON.parse(data));
    else JSON.parse(data.slice(data.indexOf('\n') + 1)).forEach(heard);
  };
  const bareText = (at) => JSON.stringify({ id: `00000000-0000-${at}`, type: 'text', sender: 'user_1', receiver: 'room', content: bareContent, timestamp: Date.now(), meta: { read: false, delivered: false } });
  if (exactly && direction === 'in') {
    const room = wire.join('room');
    const weigh = room.on('text', ({ logEpoch, s, ...envelope }) => {
      weigh();
      window.weighed = JSON.stringify(envelope).length;
    });
    room.on('text', heard);
    await room.joined;
  } else for (const type of ['text', 'done']) wire.on(type, heard);
  window.life = (type) => window.dispatchEvent(new PageTransitionEvent(type, { persisted: true }));
  const sides = {
    out: {
      bare: () => {
        socket.send(JSON.stringify({ expect: many }));
        for (let at = 0; at < many; at++) socket.send(bareText(at));
      },
      'framing alone': () => {
        socket.send(JSON.stringify({ expect: many }));
        for (let at = 0; at < many; at += perFrame) {
          const messages = [];
          for (let next = at; next < Math.min(at + perFrame, many); next++) messages.push(bareText(next));
          socket.send(`${messages.length}\n[${messages.join()}]`);
        }
      },
      'best effort': () => {
        wire.send('control', { expect: many });
        for (let at = 0; at < many; at++) wire.send('text', content, { to: 'room' });
      },
      'exactly once': () => Promise.all(Array.from({ length: many }, () => wire.send('text', content, { to: 'room' }))).then(() => done()),
    },
    in: {
      bare: () => socket.send(JSON.stringify({ give: many, message })),
      'framing alone': () => socket.send(JSON.stringify({ give: many, message, perFrame })),
      'best effort': () => void wire.send('control', { give: many, message }),
      // Written while the page is away: there is no writer beside it whose speed would be measured instead.
      'exactly once': () => window.life('pageshow'),
    },
  }[direction];
  window.rate = async (side) => {
    const all = new Promise((resolve) => (done = resolve));
    left = many;
    startsAt = many - skip;
    began = performance.now();
    sides[side]();
    await all;
    return ((many - skip) / (performance.now() - began)) * 1000;
  };
}

/** Round trips of single messages on a bare socket and on wires, one after the other in turns; milliseconds, sorted. */
async function roundTrips({ echoUrl, sessionUrl, count, bareContent, content }) {
  const [{ connect }, { connect: connectExactly }] = await Promise.all([import('everwire'), import('everwire/exactly-once')]);
  const socket = new WebSocket(echoUrl);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const wire = connect(echoUrl, { sender: 'user_1' });
  const exact = connectExactly(sessionUrl, { sender: 'user_1' });
  let back;
  wire.on('text', () => back());
  socket.onmessage = ({ data }) => JSON.parse(data).type === 'text' && back();
  const once = async (send) => {
    const began = performance.now();
    await new Promise((resolve) => {
      back = resolve;
      send();
    });
    return performance.now() - began;
  };
  const ways = {
    bare: () => socket.send(JSON.stringify({ id: '00000000-0000-00000', type: 'text', sender: 'user_1', receiver: 'room', content: bareContent, timestamp: Date.now(), meta: { read: false, delivered: false } })),
    'best effort, to its echo': () => void wire.send('text', content, { to: 'room' }),
    'exactly once, to its receipt': () => void exact.send('text', content, { to: 'room' }).then(() => back()),
  };
  const took = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  for (let turn = 0; turn < count * 1.25; turn++) {
    for (const [way, send] of Object.entries(ways)) {
      const ms = await once(send);
      if (turn >= count / 4) took[way].push(ms);
    }
  }
  socket.close();
  await Promise.all([wire.close(), exact.close()]);
  return Object.fromEntries(Object.entries(took).map(([way, all]) => [way, all.sort((a, b) => a - b)]));
}

// ——— in turns ———

const site = await startSite();
const bare = await startBare();
const servers = { 'in memory': await startServer({ origin: site.origin }), 'on disk': await startServer({ origin: site.origin, durable: true }) };
const slow = async (port) => startProxy({ targetPort: port, delay: ONE_WAY_MS });
const behind = { bare: await slow(bare.port), 'in memory': await slow(servers['in memory'].port) };
const at = (proxy, path) => `ws://127.0.0.1:${proxy.port}${path}`;
const plain = `ws://127.0.0.1:${bare.port}`;
const memory = servers['in memory'];

/** In a browser of its own. */
async function inPage(steps) {
  const tabs = await startTabs();
  try {
    const page = await tabs.tab(`${site.origin}/`, { window: true });
    if (values.watched) await page.call('Network.enable');
    return await steps(page);
  } finally {
    await tabs.close();
  }
}

/** Messages a second, burst by burst. The writer is in this process, and writes to `server` whatever the page's way to it is. */
async function inTurns(direction, delivery, bareUrl, url, server) {
  const { many, skip, aRound } = BURSTS[delivery];
  const writer = server && connect(server.url, { WebSocket, sender: 'user_1', token: server.token('1'), outbox: { maxMessages: many, maxBytes: 64 << 20 } });
  try {
    return await inPage(async (page) => {
      await page.evaluate(prepare, {
        direction, delivery, bareUrl, url, many, skip: skip[direction], content: CONTENT, bareContent: BARE_CONTENT, message: envelope(BARE_ID, BARE_CONTENT),
        perFrame: Math.floor(FRAME_BYTES / (ENVELOPE_BYTES + 1)),
      });
      const rate = (side) => page.evaluate((side) => window.rate(side), side);
      const everwire = async () => {
        if (writer) {
          await page.evaluate(() => void window.life('pagehide'));
          await Promise.all(Array.from({ length: many }, () => writer.send('text', CONTENT, { to: 'room' })));
        }
        return rate(delivery);
      };
      const sides = { bare: () => rate('bare'), everwire, ...(delivery === 'exactly once' && { framing: () => rate('framing alone') }) };
      const turns = Object.keys(sides);
      // A page that lives for hours has compiled its code.
      for (const side of [...turns, ...turns]) await sides[side]();
      const weighed = writer ? await page.evaluate(() => window.weighed) : ENVELOPE_BYTES;
      // Its numbers have more digits or fewer.
      if (Math.abs(weighed - ENVELOPE_BYTES) > 6) throw new Error(`an envelope has ${weighed} bytes, not ${ENVELOPE_BYTES}`);
      const rates = { bare: [], everwire: [], framing: [] };
      for (let burst = 0; burst < rounds * aRound; burst++) {
        // None is always the first.
        turns.push(turns.shift());
        for (const side of turns) rates[side].push(await sides[side]());
      }
      return rates;
    });
  } finally {
    await writer?.close();
  }
}

const slowly = [at(behind.bare, '/'), at(behind['in memory'], '/ws')];
const slowName = `${2 * ONE_WAY_MS} ms round trip`;
const cases = [
  ['out', 'loopback', 'best effort', '', 0.95, plain, plain],
  ['in', 'loopback', 'best effort', '', 0.95, plain, plain],
  ['out', 'loopback', 'exactly once', 'in memory', 6, plain, memory.url],
  ['out', 'loopback', 'exactly once', 'on disk', null, plain, servers['on disk'].url],
  ['in', 'loopback', 'exactly once', 'in memory', 10, plain, memory.url, memory],
  ['out', slowName, 'exactly once', 'in memory', 4, ...slowly],
  ['in', slowName, 'exactly once', 'in memory', null, ...slowly, memory],
];

const rows = [];
for (const [direction, link, delivery, log, budget, ...places] of cases) {
  const name = `${direction} ${link} ${delivery}${log && `: ${log}`}`;
  if (!name.startsWith(values.only)) continue;
  const { bare, everwire, framing } = await inTurns(direction, delivery, ...places);
  const over = (some, others) => some.map((rate, at) => rate / others[at]).sort((a, b) => a - b);
  const ratios = over(everwire, bare);
  const quartile = (quarter) => ratios[Math.round((quarter * (ratios.length - 1)) / 4)];
  const alone = framing.length ? { framing: median(framing), ceiling: median(over(framing, bare)), share: median(over(everwire, framing)) } : {};
  rows.push({
    direction, link, delivery, log, bursts: ratios.length, bare: median(bare), everwire: median(everwire), ...alone,
    ratio: median(ratios), lower: quartile(1), upper: quartile(3), budget,
  });
  console.error(`${name}: ${median(ratios).toFixed(2)}×${framing.length ? `, framing alone ${alone.ceiling.toFixed(1)}×` : ''}`);
}
console.log(`\nMessages of ${ENVELOPE_BYTES} bytes in bursts, Chromium, in turns in one ${values.watched ? 'watched ' : ''}page, medians\n`);
console.log(table(
  ['direction', 'link', 'delivery: log', 'bursts', 'bare socket, messages/s', 'everwire, messages/s', 'ratio (quartiles)', 'budget', 'framing alone', 'everwire, of that'],
  rows.map(({ direction, link, delivery, log, bursts, bare, everwire, ratio, lower, upper, budget, ceiling, share }) => [
    direction, link, log ? `${delivery}: ${log}` : delivery, bursts, perSecond(bare), perSecond(everwire),
    `${ratio.toFixed(2)}× (${lower.toFixed(2)} – ${upper.toFixed(2)})`, budget ? `≥ ${budget}×` : '–',
    ...(ceiling ? [`${ceiling.toFixed(1)}×`, `${Math.round(100 * share)} %`] : ['–', '–']),
  ]),
));
const roundTripRows = values.only ? [] : await roundTripTable();
if (values.json) writeFileSync(values.json, `${JSON.stringify({ rounds, rows, roundTrips: roundTripRows }, null, 1)}\n`);
await Promise.all([...Object.values(behind), bare, ...Object.values(servers)].map((one) => one.close()));
await site.close();

async function roundTripTable() {
  const options = { echoUrl: `${plain}/echo`, sessionUrl: memory.url, count: 2_000, bareContent: BARE_CONTENT, content: CONTENT };
  const trips = await inPage((page) => page.evaluate(roundTrips, options));
  const at50 = (all) => all[all.length >> 1];
  const at99 = (all) => all[Math.floor(all.length * 0.99)];
  // A page's clock has steps of 0.1 ms, which a mean does not.
  const mean = (all) => all.reduce((sum, ms) => sum + ms, 0) / all.length;
  const rows = Object.entries(trips).map(([way, all]) => ({
    way, p50: at50(all), p99: at99(all), mean: mean(all), ratio: at50(all) / at50(trips.bare), meanRatio: mean(all) / mean(trips.bare),
  }));
  console.log(`\nRound trips of one message of ${ENVELOPE_BYTES} bytes, ${trips.bare.length} of each in turns in one page, loopback\n`);
  console.log(table(
    ['way', 'p50, ms', 'p99, ms', 'mean, ms', 'p50 and mean against the bare socket', 'budget'],
    rows.map(({ way, p50, p99, mean, ratio, meanRatio }) => [way, p50.toFixed(2), p99.toFixed(2), mean.toFixed(3), `${ratio.toFixed(2)}×, ${meanRatio.toFixed(2)}×`, way.startsWith('best') ? '≤ 1.10×' : '–']),
  ));
  return rows;
}
