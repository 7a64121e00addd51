// Memory and listeners over thousands of reconnections: what is there after a warm-up is there at the end.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startServer } from '../../examples/node-server/server.mjs';
import { chromiumOnly, kit } from './harness/kit.mjs';
import { missingPackage } from './harness/site.mjs';
import { table } from './harness/table.mjs';
import { until } from './harness/wait.mjs';

const it = kit({ skip: missingPackage() || chromiumOnly });
const { skip } = it;

// A leak of 50 bytes at each reconnection would show as 450 KB in the first. The second grows by 100 KB while V8 still
// collects type feedback, and by no more than half of that again over the next 1,500: a socket and its closures that were
// kept would be a megabyte.
const INJECTED = { warmUp: 1000, total: 10_000, messages: 120, heapGrowthMax: 256 * 1024 };
const REAL = { warmUp: 50, total: 500, heapGrowthMax: 192 * 1024 };

/** Runs in the page before anything else: keeps hold of each instance's memory and counts listeners outside of sockets. */
function instrument() {
  window.soak = { memories: [], listeners: 0 };
  const make = (Native) =>
    new Proxy(Native, {
      construct(target, args) {
        const instance = Reflect.construct(target, args);
        if (instance.exports.memory) window.soak.memories.push(instance.exports.memory);
        return instance;
      },
    });
  WebAssembly.Instance = make(WebAssembly.Instance);
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  const isPage = (target) => target === window || target === document || target === undefined || target === null;
  EventTarget.prototype.addEventListener = function (...args) {
    if (isPage(this)) window.soak.listeners += 1;
    return addEventListener.apply(this, args);
  };
  EventTarget.prototype.removeEventListener = function (...args) {
    if (isPage(this)) window.soak.listeners -= 1;
    return removeEventListener.apply(this, args);
  };
}

/** The figures after a garbage collection. */
async function measure(page, cdp) {
  for (let i = 0; i < 3; i++) await cdp.send('HeapProfiler.collectGarbage');
  const { usedSize } = await cdp.send('Runtime.getHeapUsage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const metric = (name) => metrics.find((entry) => entry.name === name)?.value;
  const { wasm, pageListeners, instances } = await page.evaluate(() => ({
    wasm: window.soak.memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0),
    pageListeners: window.soak.listeners,
    instances: window.soak.memories.length,
  }));
  return { heap: usedSize, wasm, pageListeners, jsListeners: metric('JSEventListeners'), instances };
}

async function start() {
  const page = await it.page({ init: instrument });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable');
  await cdp.send('HeapProfiler.enable');
  await page.evaluate(async () => {
    window.run = await import('/page/soak.mjs');
  });
  return { page, cdp };
}

function compare(title, settings, warm, end) {
  const rows = Object.keys(warm).map((name) => [name, '', warm[name], end[name], end[name] - warm[name]]);
  console.log(`\n${title}\n\n${table(['', '', `after ${settings.warmUp}`, `after ${settings.total}`, 'difference'], rows)}\n`);
  assert.equal(end.instances, 1, 'one instance for all');
  assert.equal(end.wasm, warm.wasm, 'wasm memory is flat');
  assert.equal(end.pageListeners, warm.pageListeners, 'listeners on window and document are flat');
  assert.ok(end.jsListeners <= warm.jsListeners + 4, 'listeners as the browser counts them are flat');
  assert.ok(end.heap - warm.heap <= settings.heapGrowthMax, `the JS heap is flat: ${end.heap - warm.heap} bytes`);
}

describe('soak', { skip, timeout: 240_000 }, () => {
  test('10,000 reconnections and 1,000,000 messages on an injected socket and an injected clock', async () => {
    const { page, cdp } = await start();
    await page.evaluate(() => window.run.startInjected());
    await page.evaluate(({ warmUp, messages }) => window.run.injected(warmUp, messages), INJECTED);
    const warm = await measure(page, cdp);
    await page.evaluate(({ total, warmUp, messages }) => window.run.injected(total - warmUp, messages), INJECTED);
    const end = await measure(page, cdp);
    const figures = await page.evaluate(() => window.run.figures());
    const held = await page.evaluate(() => window.run.socketListeners());
    const { longestTimer, pendingTimers } = await page.evaluate(() => window.run.stopInjected());
    console.log(figures);
    compare('10,000 reconnections and 1,000,000 messages, injected socket and clock', INJECTED, warm, end);
    assert.equal(figures.cycles, INJECTED.total);
    assert.ok(figures.open >= (INJECTED.total * 5) / 6 - 1, `${figures.open} links were in use`);
    assert.ok(figures.written >= 1_000_000 - INJECTED.messages, `${figures.written} messages were written`);
    assert.ok(figures.settled > 0 && figures.undelivered > 0, 'both exits were taken');
    assert.ok(held.every((count) => count === 0), `ended sockets hold no handler of ours: ${held}`);
    assert.ok(longestTimer <= 2 ** 31 - 1);
    assert.equal(pendingTimers, 0, 'close() leaves no timer behind');
  });

  test('500 real reconnections: closed by the server, dropped by it, reset on the way', async () => {
    const server = await it.serve(startServer);
    const proxy = await it.proxyTo(server);
    const { page, cdp } = await start();
    let ended = 0;
    let last = INJECTED.warmUp;
    // Each connection ends as soon as its first message has come.
    server.wss.on('connection', (socket) => {
      socket.once('message', () => {
        if (ended >= last) return;
        ended += 1;
        const way = ended % 4;
        if (way === 0) socket.close(1001);
        else if (way === 1) socket.terminate();
        else if (way === 2) socket.close(1000);
        else proxy.resetAll();
        server.wss.emit('change');
      });
    });
    const held = (connections) => until(server.wss, 'change', () => ended === last && server.connections.length > connections, { deadline: 120_000, what: `${last} ends` });
    last = REAL.warmUp;
    await page.evaluate((url) => window.run.startReal(url), proxy.url);
    await held(last);
    const warm = await measure(page, cdp);
    last = REAL.total;
    // The link of the measurement is the one that ends next.
    for (const socket of server.wss.clients) socket.terminate();
    await held(last);
    const end = await measure(page, cdp);
    const figures = await page.evaluate(() => window.run.figures());
    await page.evaluate(() => window.run.stopReal());
    console.log(figures);
    compare('500 real reconnections', REAL, warm, end);
    assert.ok(figures.open >= REAL.total);
  });
});
