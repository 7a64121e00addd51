// Messages a second and round trips in Chromium, in both deliveries, beside one envelope a frame on a bare WebSocket: in one
// run, in turns.
//
//   cargo xtask bench                      everything
//   node benches/throughput.mjs [--rounds N] [--json FILE] [--only WORDS]
//
// `--only 'out loopback best effort'` makes the rows that begin so, and no round trips.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';
import { startLab } from '../tests/e2e/harness/browser.mjs';
import { packageDir } from '../tests/e2e/harness/site.mjs';
import { startProxy } from '../tests/e2e/proxy.mjs';
import { median, perSecond, startServer, table } from './harness.mjs';

const { connect } = await import(`${packageDir}/exactly-once.js`);
/** Of the whole envelope, whoever has made it: what the id of a wire has more than that of the bare socket, the content has less. */
const ENVELOPE_BYTES = 200;
const envelope = (id, content) => JSON.stringify({ id, type: 'text', sender: 'user_1', receiver: 'room', content, timestamp: 1_790_000_000_000, meta: { read: false, delivered: false } });
const contentBeside = (id) => 'x'.repeat(ENVELOPE_BYTES - envelope(id, '').length);
const BARE_ID = '00000000-0000-00000';
const BARE_CONTENT = contentBeside(BARE_ID);
/** 96 random bits, the ticket, 32 random bits. */
const CONTENT = contentBeside(`${'0'.repeat(24)}-zzz-zzzzzz`);
const ONE_WAY_MS = 25;
const MESSAGES = { bare: 20_000, everwire: 60_000 };
/** In one page, in turns. */
const BURST = 2_000;
const BURSTS_A_ROUND = 60;
/** Before the clock starts: a page that lives for hours has compiled its code. */
const WARM_UP = { bare: 5_000, everwire: 30_000 };

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, json: { type: 'string' }, only: { type: 'string', default: '' } } });
const rounds = Number(values.rounds);

/** Counts what comes and says so when it was enough; sends as much as it is asked for; or sends everything back. */
async function startBare() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  server.on('connection', (ws, request) => {
    let left = 0;
    ws.on('message', (data) => {
      if (left) {
        left -= 1;
        if (!left) ws.send('{"type":"done"}');
        return;
      }
      if (request.url === '/echo') {
        ws.send(data, { binary: false });
        return;
      }
      // An envelope has what is asked for in its content.
      const asked = JSON.parse(data);
      const { expect, give, message } = asked.content ?? asked;
      if (expect) left = expect;
      for (let at = 0; at < give; at++) ws.send(message);
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: server.address().port, close: () => new Promise((resolve) => server.close(resolve)) };
}

// ——— in the page; each returns messages a second ———

/** One envelope a frame, until the server says that it has them all. */
async function bareOut({ url, count, content, warmUp }) {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const run = (many) => new Promise((resolve) => {
    socket.onmessage = resolve;
    socket.send(JSON.stringify({ expect: many }));
    for (let at = 0; at < many; at++) {
      socket.send(JSON.stringify({ id: `00000000-0000-${at}`, type: 'text', sender: 'user_1', receiver: 'room', content, timestamp: Date.now(), meta: { read: false, delivered: false } }));
    }
  });
  await run(warmUp);
  const began = performance.now();
  await run(count);
  const rate = (count / (performance.now() - began)) * 1000;
  socket.close();
  return rate;
}

/** Every message has its receipt: it is in the server's log. */
async function everwireOut({ url, count, content, warmUp }) {
  const { connect } = await import('everwire/exactly-once');
  const wire = connect(url, { sender: 'user_1', outbox: { maxMessages: count, maxBytes: 64 << 20 } });
  await new Promise((resolve) => wire.addEventListener('open', resolve, { once: true }));
  const run = (many) => Promise.all(Array.from({ length: many }, () => wire.send('text', content, { to: 'room' })));
  await run(warmUp);
  const began = performance.now();
  await run(count);
  const rate = (count / (performance.now() - began)) * 1000;
  await wire.close();
  return rate;
}

/**
 * Both in one page and in turns: what everwire adds is a few microseconds of some eighty that a frame costs, and from page to page
 * the eighty differ by half.
 */
async function bestEffort({ direction, url, count, bursts, content, bareContent, message, warmUp }) {
  const { connect } = await import('everwire');
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const wire = connect(url, { sender: 'user_1', outbox: { maxMessages: count + 1, maxBytes: 64 << 20 } });
  await new Promise((resolve) => wire.addEventListener('open', resolve, { once: true }));
  let left;
  let done;
  const heard = ({ type }) => {
    if (type === 'text') left -= 1;
    if (type === 'done' || !left) done();
  };
  socket.onmessage = ({ data }) => heard(JSON.parse(data));
  for (const type of ['text', 'done']) wire.on(type, heard);
  const [bare, everwire] = {
    out: [
      (many) => {
        socket.send(JSON.stringify({ expect: many }));
        for (let at = 0; at < many; at++) {
          socket.send(JSON.stringify({ id: `00000000-0000-${at}`, type: 'text', sender: 'user_1', receiver: 'room', content: bareContent, timestamp: Date.now(), meta: { read: false, delivered: false } }));
        }
      },
      (many) => {
        wire.send('control', { expect: many });
        for (let at = 0; at < many; at++) wire.send('text', content, { to: 'room' });
      },
    ],
    in: [(many) => socket.send(JSON.stringify({ give: many, message })), (many) => void wire.send('control', { give: many, message })],
  }[direction];
  const rate = async (run, many) => {
    const all = new Promise((resolve) => (done = resolve));
    left = many;
    const began = performance.now();
    run(many);
    await all;
    return (many / (performance.now() - began)) * 1000;
  };
  for (const run of [bare, everwire]) await rate(run, warmUp);
  const [bares, everwires] = [[], []];
  for (let burst = 0; burst < bursts; burst++) {
    // Neither is always the first.
    if (burst % 2) everwires.push(await rate(everwire, count));
    bares.push(await rate(bare, count));
    if (burst % 2 === 0) everwires.push(await rate(everwire, count));
  }
  socket.close();
  await wire.close();
  return [bares, everwires];
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

function bareIn({ url, count, message, warmUp }) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    let left = count;
    let began;
    socket.onerror = reject;
    socket.onopen = () => socket.send(JSON.stringify({ give: count, message }));
    socket.onmessage = ({ data }) => {
      if (JSON.parse(data).type !== 'text') throw new Error('not this');
      left -= 1;
      if (left === count - warmUp) began = performance.now();
      if (!left) {
        resolve(((count - warmUp) / (performance.now() - began)) * 1000);
        socket.close();
      }
    };
  });
}

/**
 * From the end of the warm-up to the last message. What it receives was written while the page was away, by `window.write`:
 * as with the bare socket there is no writer beside it whose speed would be measured instead.
 */
async function everwireIn({ url, count, room, warmUp }) {
  const { connect } = await import('everwire/exactly-once');
  const wire = connect(url);
  const joined = wire.join(room);
  let left = count;
  let began;
  const all = new Promise((resolve) => {
    joined.on('text', () => {
      left -= 1;
      if (left === count - warmUp) began = performance.now();
      if (!left) resolve(((count - warmUp) / (performance.now() - began)) * 1000);
    });
  });
  await joined.joined;
  const life = (type) => window.dispatchEvent(new PageTransitionEvent(type, { persisted: true }));
  life('pagehide');
  await window.write();
  life('pageshow');
  const rate = await all;
  await wire.close();
  return rate;
}

// ——— in turns ———

const lab = await startLab();
const bare = await startBare();
const servers = { 'in memory': await startServer({ origin: lab.site.origin }), '--data': await startServer({ origin: lab.site.origin, durable: true }) };
const slow = async (port) => startProxy({ targetPort: port, delay: ONE_WAY_MS });
const behind = { bare: await slow(bare.port), 'in memory': await slow(servers['in memory'].port) };
const at = (proxy, path) => `ws://127.0.0.1:${proxy.port}${path}`;
const message = envelope(BARE_ID, BARE_CONTENT);

async function inPage(run, options, prepare) {
  const page = await lab.page({ prepare });
  try {
    return await page.evaluate(run, options);
  } finally {
    await page.context().close();
  }
}

/** The writer is in this process. */
async function received(url, server) {
  const room = `room-${Math.random()}`;
  const count = MESSAGES.everwire + WARM_UP.everwire;
  const writer = connect(server.url, { WebSocket, sender: 'user_1', outbox: { maxMessages: count, maxBytes: 64 << 20 } });
  const write = () => Promise.all(Array.from({ length: count }, () => writer.send('text', CONTENT, { to: room }))).then(() => {});
  try {
    return await inPage(everwireIn, { url, count, room, warmUp: WARM_UP.everwire }, (page) => page.exposeFunction('write', write));
  } finally {
    await writer.close();
  }
}

const out = (url, kind) => ({ url, count: MESSAGES[kind], warmUp: WARM_UP[kind], content: kind === 'bare' ? BARE_CONTENT : CONTENT });
const bareCount = MESSAGES.bare + WARM_UP.bare;
const memory = servers['in memory'];
const plain = `ws://127.0.0.1:${bare.port}`;
/** Each in a page of its own, one after the other. */
const inTurns = (bareRun, everwireRun) => async () => {
  const [bares, everwires] = [[], []];
  for (let round = 0; round < rounds; round++) {
    bares.push(await bareRun());
    everwires.push(await everwireRun());
  }
  return [bares, everwires];
};
const inOnePage = (direction) => () => inPage(bestEffort, {
  direction, url: plain, count: BURST, bursts: rounds * BURSTS_A_ROUND, bareContent: BARE_CONTENT, content: CONTENT, message, warmUp: WARM_UP.bare,
});
const cases = [
  ['out', 'loopback', 'best effort', 0.95, inOnePage('out')],
  ['in', 'loopback', 'best effort', 0.95, inOnePage('in')],
  ['out', 'loopback', 'exactly once: in memory', 6, inTurns(() => inPage(bareOut, out(plain, 'bare')), () => inPage(everwireOut, out(memory.url, 'everwire')))],
  ['out', 'loopback', 'exactly once: on disk', null, inTurns(() => inPage(bareOut, out(plain, 'bare')), () => inPage(everwireOut, out(servers['--data'].url, 'everwire')))],
  ['in', 'loopback', 'exactly once: in memory', 10, inTurns(() => inPage(bareIn, { url: plain, count: bareCount, warmUp: WARM_UP.bare, message }), () => received(memory.url, memory))],
  ['out', `${2 * ONE_WAY_MS} ms round trip`, 'exactly once: in memory', 4, inTurns(() => inPage(bareOut, out(at(behind.bare, '/'), 'bare')), () => inPage(everwireOut, out(at(behind['in memory'], '/ws'), 'everwire')))],
  ['in', `${2 * ONE_WAY_MS} ms round trip`, 'exactly once: in memory', null, inTurns(() => inPage(bareIn, { url: at(behind.bare, '/'), count: bareCount, warmUp: WARM_UP.bare, message }), () => received(at(behind['in memory'], '/ws'), memory))],
];

const rows = [];
for (const [direction, link, log, budget, run] of cases) {
  if (!`${direction} ${link} ${log}`.startsWith(values.only)) continue;
  const [bares, everwires] = await run();
  const ratios = bares.map((rate, at) => everwires[at] / rate);
  rows.push({ direction, link, log, bare: median(bares), everwire: median(everwires), ratio: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios), budget });
  console.error(`${direction} ${link} ${log}: ${median(ratios).toFixed(2)}×`);
}
console.log(`\nMessages of ${ENVELOPE_BYTES} bytes in bursts, Chromium, ${rounds} rounds in turns, medians\n`);
console.log(table(
  ['direction', 'link', 'delivery: log', 'bare socket, messages/s', 'everwire, messages/s', 'ratio (least – most)', 'budget'],
  rows.map(({ direction, link, log, bare, everwire, ratio, least, most, budget }) => [
    direction, link, log, perSecond(bare), perSecond(everwire), `${ratio.toFixed(2)}× (${least.toFixed(2)} – ${most.toFixed(2)})`, budget ? `≥ ${budget}×` : '–',
  ]),
));
const roundTripRows = values.only ? [] : await roundTripTable();
if (values.json) writeFileSync(values.json, `${JSON.stringify({ rounds, rows, roundTrips: roundTripRows }, null, 1)}\n`);
await Promise.all([...Object.values(behind), bare, ...Object.values(servers)].map((one) => one.close()));
await lab.close();

async function roundTripTable() {
  const trips = await inPage(roundTrips, { echoUrl: `${plain}/echo`, sessionUrl: memory.url, count: 2_000, bareContent: BARE_CONTENT, content: CONTENT });
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
