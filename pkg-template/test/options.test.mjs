import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { facade, FakeSocket } from './helpers.mjs';

const { open, core, connect } = await facade();
const url = 'wss://example.com';

/** The config that reached the core, without the seed. */
function config(options) {
  void open(url, options).close();
  return core.last.config.slice(2);
}

const [DELAY_MIN, DELAY_MAX, FACTOR, MAX_ATTEMPTS, CONNECT, HEARTBEAT, REPLY, FRAME, MESSAGES, BYTES, OVERFLOW, TOKEN, HIGH_WATER, RATE, BURST, RESTS] = Array(16).keys();

test('the defaults', () => {
  assert.deepEqual(config(), [1000, 30_000, 2, 0, 20_000, 30_000, 2, 1_048_576, 8192, 8_388_608, 0, 0, 1_048_576, 0, 1, 0]);
});

test('a wait on a phone lasts for as long as the page is hidden', () => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  try {
    for (const [userAgent, rests] of [['Mozilla/5.0 (Linux; Android 10; K) Chrome/156.0.0.0 Mobile Safari/537.36', 1], ['Mozilla/5.0 (X11; Linux x86_64) Firefox/153.0', 0]]) {
      Object.defineProperty(globalThis, 'navigator', { value: { userAgent }, configurable: true });
      assert.equal(config()[RESTS], rests, userAgent);
    }
  } finally {
    if (own) Object.defineProperty(globalThis, 'navigator', own);
    else delete globalThis.navigator;
  }
});

test('the seed is two words of 32 bits, different for every wire', () => {
  const seeds = new Set();
  for (let n = 0; n < 20; n++) {
    config();
    const [high, low] = core.last.config;
    for (const word of [high, low]) assert.ok(Number.isInteger(word) && word >= 0 && word < 2 ** 32);
    seeds.add(`${high}/${low}`);
  }
  assert.equal(seeds.size, 20);
});

// name, place in the config (or -1), lowest, highest, the step beyond them
const ranges = [
  ['heartbeatInterval', HEARTBEAT, 1000, 600_000, 1],
  ['connectTimeout', CONNECT, 1000, 120_000, 1],
  ['closeTimeout', -1, 0, 60_000, 1],
  ['maxMessageBytes', FRAME, 1, 67_108_864, 1],
  ['reconnect.delayMin', DELAY_MIN, 10, 30_000, 1],
  ['reconnect.delayMax', DELAY_MAX, 1000, 30_000, 1],
  ['reconnect.factor', FACTOR, 1, 10, 0.001],
  ['reconnect.maxAttempts', MAX_ATTEMPTS, 1, 2 ** 31 - 1, 1],
  ['outbox.maxMessages', MESSAGES, 1, 1_000_000, 1],
  ['outbox.maxBytes', BYTES, 1_048_576, 1_073_741_824, 1],
  ['highWaterBytes', HIGH_WATER, 16_384, 1_073_741_824, 1],
];

const nest = (name, value) => {
  const [first, second] = name.split('.');
  return second ? { [first]: { [second]: value } } : { [first]: value };
};

for (const [name, place, min, max, step] of ranges) {
  test(`${name}: both sides of both edges`, () => {
    for (const value of [min, max]) {
      const seen = config(nest(name, value));
      if (place >= 0) assert.equal(seen[place], value);
    }
    for (const value of [min - step, max + step, NaN, '5000', null, true, {}]) {
      if (name === 'heartbeatInterval' && value === 0) continue;
      assert.throws(() => open(url, nest(name, value)), (error) => {
        assert.ok(error instanceof TypeError);
        assert.ok(error.message.includes(name), error.message);
        assert.ok(error.message.includes(String(min)) && error.message.includes(String(max)), error.message);
        return true;
      });
    }
    if (name !== 'reconnect.maxAttempts') assert.throws(() => open(url, nest(name, Infinity)), TypeError);
  });
}

test('the rate limit: its edges, its burst, and what it must say', () => {
  const limit = (rateLimit) => config({ rateLimit }).slice(RATE, BURST + 1);
  assert.deepEqual(limit({ perSecond: 0.001 }), [1, 1]);
  assert.deepEqual(limit({ perSecond: 1_000_000, burst: 1_000_000 }), [1_000_000_000, 1_000_000]);
  assert.deepEqual(limit({ perSecond: 2.5 }), [2500, 3]);
  assert.deepEqual(limit({ perSecond: 20, burst: 1 }), [20_000, 1]);
  assert.deepEqual(limit({ perSecond: 20, burst: undefined }), [20_000, 20]);
  for (const perSecond of [undefined, 0, 0.0009, 1_000_001, NaN, Infinity, '20', null]) {
    assert.throws(() => open(url, { rateLimit: { perSecond } }), /rateLimit\.perSecond must be 0\.001 – 1000000/, String(perSecond));
  }
  for (const burst of [0, 1_000_001, 1.5, '3', null]) {
    assert.throws(() => open(url, { rateLimit: { perSecond: 1, burst } }), /rateLimit\.burst must be .*1 – 1000000/, String(burst));
  }
  assert.throws(() => open(url, { rateLimit: {} }), /rateLimit\.perSecond/);
  assert.throws(() => open(url, { rateLimit: { perSecond: 1, window: 1 } }), /rateLimit\.window/);
  for (const wrong of [5, null, 'x']) assert.throws(() => open(url, { rateLimit: wrong }), /rateLimit/);
});

test('a logger has four functions', () => {
  config({ logger: console });
  for (const logger of [null, 5, {}, { ...console, warn: undefined }, () => {}]) assert.throws(() => open(url, { logger }), { name: 'TypeError', message: /logger/ });
});

test('undefined is as good as absent', () => {
  const none = Object.fromEntries(ranges.map(([name]) => [name.split('.')[0], undefined]));
  assert.deepEqual(config({ ...none, token: undefined, sender: undefined, protocols: undefined, signal: undefined }), config());
  assert.deepEqual(config({ reconnect: { delayMin: undefined }, outbox: { overflow: undefined } }), config());
});

test('the special values', () => {
  assert.equal(config({ heartbeatInterval: 0 })[HEARTBEAT], 0);
  assert.equal(config({ reconnect: { maxAttempts: Infinity } })[MAX_ATTEMPTS], 0);
  assert.deepEqual([false, true, 'learn'].map((expectReply) => config({ expectReply })[REPLY]), [0, 1, 2]);
  assert.deepEqual(['reject', 'drop-oldest', 'drop-newest', 'wait'].map((overflow) => config({ outbox: { overflow } })[OVERFLOW]), [0, 1, 2, 3]);
  assert.equal(config({ token: 'abc' })[TOKEN], 1);
  assert.equal(config({ token: () => 'abc' })[TOKEN], 1);
});

test('bounds that depend on each other', () => {
  assert.throws(() => open(url, { reconnect: { delayMin: 5000, delayMax: 4999 } }), /reconnect\.delayMax must be 5000 – 30000/);
  assert.equal(config({ reconnect: { delayMin: 30_000 } })[DELAY_MAX], 30_000);
  assert.throws(() => open(url, { maxMessageBytes: 2_000_000, outbox: { maxBytes: 1_999_999 } }), /outbox\.maxBytes must be .*2000000/);
  assert.equal(config({ maxMessageBytes: 67_108_864 })[BYTES], 67_108_864);
  assert.throws(() => open(url, { outbox: { maxMessages: 1.5 } }), /whole number/);
});

test('an unknown key is named, nested ones too', () => {
  assert.throws(() => open(url, { heartBeat: 1 }), { name: 'TypeError', message: /heartBeat/ });
  assert.throws(() => open(url, { reconnect: { min: 1 } }), { name: 'TypeError', message: /reconnect\.min/ });
  assert.throws(() => open(url, { outbox: { size: 1 } }), { name: 'TypeError', message: /outbox\.size/ });
  assert.throws(() => open(url, JSON.parse('{"__proto__":{"sender":"x"}}')), { name: 'TypeError', message: /__proto__/ });
});

test('exactly-once is said to be missing', () => {
  assert.throws(() => open(url, { delivery: 'exactly-once' }), { name: 'TypeError', message: /everwire\/exactly-once/ });
  assert.throws(() => open(url, { delivery: 'at-most-once' }), { name: 'TypeError', message: /delivery must be "best-effort"/ });
});

test('values of the wrong type', () => {
  const wrong = {
    sender: [5, null, {}], token: [5, null, {}], binary: [1, 'yes', null], protocols: [5, null, {}], expectReply: [1, 'yes', null],
    signal: [null, {}, 'x'], WebSocket: [null, {}, 'x'], reconnect: [5, null, 'x'], outbox: [5, null, 'x'], delivery: [null, 5],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      assert.throws(() => open(url, { [name]: value }), { name: 'TypeError', message: new RegExp(name) }, `${name}: ${value}`);
    }
  }
  for (const options of [null, 5, 'x']) assert.throws(() => connect(url, options), TypeError);
  assert.throws(() => open(url, { outbox: { overflow: 'block' } }), { name: 'TypeError', message: /outbox\.overflow/ });
});

test('a value in the wrong place is not quoted: it may be a token', () => {
  assert.throws(() => open(url, { binary: 'secret-token' }), (error) => !error.message.includes('secret'));
  assert.throws(() => open(url, { expectReply: 'secret-token' }), (error) => !error.message.includes('secret'));
});

test('no WebSocket to be had is a clear TypeError', () => {
  const saved = globalThis.WebSocket;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => connect(url), { name: 'TypeError', code: 'connect', message: /WebSocket/ });
  } finally {
    if (saved) globalThis.WebSocket = saved;
  }
});

test('the global WebSocket is looked up at connect()', () => {
  const saved = globalThis.WebSocket;
  globalThis.WebSocket = FakeSocket;
  try {
    assert.equal(connect(url).state, 'connecting');
  } finally {
    globalThis.WebSocket = saved;
    if (!saved) delete globalThis.WebSocket;
  }
});

test('every documented option has its row here and its doc comment', () => {
  const types = readFileSync(new URL('../types/index.d.ts', import.meta.url), 'utf8');
  for (const [name, , min, max] of ranges) {
    const doc = types.slice(types.indexOf('export interface Options')).match(new RegExp(`/\\*\\*([^/]*)\\*/\\s+${name.split('.').at(-1)}\\?`))?.[1];
    assert.ok(doc?.includes(max.toLocaleString('en')), `${name}: ${doc}`);
    if (!['reconnect.delayMax', 'outbox.maxBytes'].includes(name)) assert.ok(doc.includes(min.toLocaleString('en')), `${name}: ${doc}`);
  }
});
