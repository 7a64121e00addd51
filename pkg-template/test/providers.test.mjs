import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { facade, FakeSocket, next, record, turn } from './helpers.mjs';

const SECRET = 'c2VjcmV0LXRva2Vu';
beforeEach(() => (FakeSocket.made.length = 0));
const made = () => FakeSocket.made;

/** A promise and its ends. */
function deferred() {
  const ends = {};
  ends.promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }));
  return ends;
}

/** Nothing that could be logged holds the secret. */
function assertSilent(...things) {
  for (const thing of things) {
    const text = thing instanceof Error
      ? [thing.message, thing.stack, JSON.stringify(thing), thing.cause && String(thing.cause), thing.cause?.input].join()
      : JSON.stringify(Object.fromEntries(Object.entries(thing)));
    assert.ok(!text.includes(SECRET), text);
  }
}

test('url forms become ws: or wss:', async () => {
  const { open } = await facade();
  for (const [url, expected] of [
    ['wss://a.example/x?y=1', 'wss://a.example/x?y=1'],
    ['https://a.example', 'wss://a.example/'],
    ['http://a.example:8080/p', 'ws://a.example:8080/p'],
    [new URL('http://a.example/u'), 'ws://a.example/u'],
    [() => 'https://a.example/f', 'wss://a.example/f'],
    [async () => new URL('ws://a.example/af'), 'ws://a.example/af'],
  ]) {
    open(url);
    await turn();
    assert.equal(made().at(-1).url, expected);
    assert.equal(made().at(-1).binaryType, 'arraybuffer');
  }
});

test('the user keeps an unchanged URL object', async () => {
  const { open } = await facade();
  const url = new URL('https://a.example/');
  open(url);
  assert.equal(url.protocol, 'https:');
});

test('relative urls start from the page', async () => {
  const { open } = await facade();
  assert.throws(() => open('/chat'), { name: 'TypeError', code: 'connect', message: /absolute/ });
  globalThis.location = new URL('https://page.example/app/index.html');
  try {
    open('chat?x');
    await turn();
    assert.equal(made().at(-1).url, 'wss://page.example/app/chat?x');
    globalThis.document = { baseURI: 'https://base.example/b/' };
    open('chat');
    await turn();
    assert.equal(made().at(-1).url, 'wss://base.example/b/chat');
  } finally {
    delete globalThis.location;
    delete globalThis.document;
  }
});

test('a ws: url on an https page is thrown at connect(), but not for the machine itself', async () => {
  const { open } = await facade();
  globalThis.location = new URL('https://page.example/');
  try {
    assert.throws(() => open('ws://a.example/'), { name: 'TypeError', code: 'connect', message: /wss:/ });
    assert.throws(() => open('http://a.example/'), { code: 'connect' });
    assert.throws(() => open('ws://127.a.example/'), { code: 'connect' });
    assert.throws(() => open('ws://localhost.a.example/'), { code: 'connect' });
    for (const url of ['ws://localhost:1/', 'ws://x.localhost/', 'ws://127.0.0.1/', 'ws://[::1]/']) open(url);
    await turn();
  } finally {
    delete globalThis.location;
  }
});

test('what is wrong already is thrown at connect(), without quoting it', async () => {
  const { connect } = await facade();
  const wrong = [
    ['not a url'], [''], [undefined], [null], [5], [{}], ['wss://a.example/#x'], ['wss://a.example/#'], [`http://[${SECRET}`],
    ['ftp://a.example/'], [`javascript:${SECRET}`], [`wss://a.example/?t=${SECRET}#`],
    ['wss://a.example', { protocols: 'a b' }], ['wss://a.example', { protocols: ['a', 'a'] }], ['wss://a.example', { protocols: [5] }],
    ['wss://a.example', { protocols: [''] }], ['wss://a.example', { protocols: 'a,b' }], ['wss://a.example', { protocols: 'a=b' }],
    ['wss://a.example', { protocols: 'ü' }], ['wss://a.example', { token: `${SECRET}==` }], ['wss://a.example', { token: '' }],
    ['wss://a.example', { token: SECRET, protocols: [SECRET] }],
  ];
  for (const [url, options] of wrong) {
    assert.throws(() => connect(url, { WebSocket: FakeSocket, ...options }), (error) => {
      assert.ok(error instanceof TypeError);
      assert.equal(error.code, 'connect');
      assertSilent(error);
      return true;
    }, String(url) + JSON.stringify(options));
  }
  await turn();
  assert.equal(made().length, 0);
});

test('every character that a subprotocol may have', async () => {
  const { open } = await facade();
  const legal = "abcXYZ019!#$%&'*+-.^_`|~";
  open('wss://a.example', { protocols: legal });
  await turn();
  assert.deepEqual(made()[0].protocols, [legal]);
});

test('the token is the last subprotocol', async () => {
  const { open } = await facade();
  open('wss://a.example', { protocols: ['chat', 'v2'], token: SECRET });
  await turn();
  assert.deepEqual(made()[0].protocols, ['chat', 'v2', SECRET]);
  open('wss://a.example', { token: async () => SECRET });
  await turn();
  assert.deepEqual(made()[1].protocols, [SECRET]);
});

test('functions for url or protocols are given the token and decide', async () => {
  const { open } = await facade();
  open(({ token }) => `wss://a.example/?t=${token}`, { token: () => SECRET });
  await turn();
  assert.equal(made()[0].url, `wss://a.example/?t=${SECRET}`);
  assert.deepEqual(made()[0].protocols, []);
  open('wss://a.example', { token: SECRET, protocols: async ({ token }) => ['v1', `t.${token}`] });
  await turn();
  assert.deepEqual(made()[1].protocols, ['v1', `t.${SECRET}`]);
  open('wss://a.example', { token: 'with = and space', protocols: () => null });
  await turn();
  assert.deepEqual(made()[2].protocols, []);
});

test('the order is token, url, protocols, each awaited', async () => {
  const { open } = await facade();
  const order = [];
  const slow = (name, value) => async () => {
    order.push(name);
    await turn();
    order.push(name + ' done');
    return value;
  };
  const wire = open(slow('url', 'wss://a.example'), { token: slow('token', 'abc'), protocols: slow('protocols', 'x') });
  await turn(); await turn(); await turn(); await turn();
  assert.deepEqual(order, ['token', 'token done', 'url', 'url done', 'protocols', 'protocols done']);
  assert.equal(made().length, 1);
  void wire.close();
});

test('no function runs before connect() has returned', async () => {
  const { open } = await facade();
  let asked = false;
  open(() => ((asked = true), 'wss://a.example'));
  assert.equal(asked, false);
  await turn();
  assert.equal(asked, true);
});

const boom = new Error('refused by the identity provider');
for (const [name, options, url = 'wss://a.example'] of [
  ['token throws', { token: () => { throw boom; } }],
  ['token rejects', { token: () => Promise.reject(boom) }],
  ['url throws', {}, () => { throw boom; }],
  ['url rejects', {}, async () => { throw boom; }],
  ['protocols throws', { protocols: () => { throw boom; } }],
]) {
  test(`${name}: one failed attempt, with the cause`, async () => {
    const { open, core } = await facade();
    const wire = open(url, options);
    const events = record(wire);
    const { error } = await next(wire, 'error');
    assert.equal(error.name, 'EverwireError');
    assert.equal(error.code, 'provider');
    assert.equal(error.cause, boom);
    await turn();
    assert.deepEqual(core.named('wire_dial_failed'), [['wire_dial_failed', core.last.handle, 1]]);
    assert.equal(made().length, 0);
    assert.deepEqual(events.map(({ type }) => type), ['statechange', 'error', 'reconnecting', 'statechange']);
    assert.equal(wire.state, 'waiting');
  });
}

for (const [name, options, url = 'wss://a.example'] of [
  ['token gives no string', { token: () => undefined }],
  ['token cannot be a subprotocol', { token: () => `${SECRET}==` }],
  ['token is there twice', { token: () => SECRET, protocols: [SECRET] }],
  ['url is invalid', { token: () => SECRET }, ({ token }) => `http://[${token}`],
  ['url has a fragment', { token: SECRET }, ({ token }) => `wss://a.example/#${token}`],
  ['url is undefined', {}, () => undefined],
  ['protocols are illegal', { token: SECRET, protocols: ({ token }) => `a b ${token}` }],
  ['protocols are no list', { protocols: () => 5 }],
  ['the constructor throws', {
    token: SECRET,
    WebSocket: class { constructor(_url, [token]) { throw new SyntaxError(`the subprotocol '${token}' is invalid`); } },
  }],
]) {
  test(`${name}: one failed attempt that does not quote it`, async () => {
    const { open, core } = await facade();
    const wire = open(url, options);
    const events = record(wire);
    await turn();
    assert.equal(core.named('wire_dial_failed').length, 1);
    const { error } = events.find(({ type }) => type === 'error');
    assert.equal(error.code, name.includes('constructor') ? 'connect' : 'provider');
    assertSilent(error, ...events);
    assert.equal(made().length, 0);
  });
}

test('an answer that comes after close() makes no socket', async () => {
  for (const stage of ['token', 'url', 'protocols']) {
    const wait = deferred();
    const { open, core } = await facade();
    const wire = open(stage === 'url' ? () => wait.promise : 'wss://a.example', stage === 'url' ? {} : { [stage]: () => wait.promise });
    await turn();
    await wire.close();
    wait.resolve(stage === 'url' ? 'wss://a.example' : 'abc');
    await turn();
    assert.equal(made().length, 0, stage);
    assert.equal(core.named('wire_dialled').length + core.named('wire_dial_failed').length, 0);
  }
});

test('an answer of an earlier dial is ignored, whether it is good or bad', async () => {
  const waits = [];
  const { open, core } = await facade();
  const wire = open('wss://a.example', { token: () => (waits.push(deferred()), waits.at(-1).promise) });
  const events = record(wire, 'error');
  await turn();
  for (let link = 2; link <= 4; link++) {
    core.event(() => core.last.host.dial(link));
    await turn();
  }
  waits[0].resolve('old');
  waits[1].reject(new Error('old'));
  waits[3].resolve('new');
  waits[2].resolve('older');
  await turn();
  assert.deepEqual(made().map(({ protocols }) => protocols), [['new']]);
  assert.deepEqual(core.named('wire_dialled').map(([, , link]) => link), [4]);
  assert.equal(events.length, 0);
});

test('a dial that was given up by the core makes no socket when the answer comes at last', async () => {
  const wait = deferred();
  const { open, core } = await facade();
  open('wss://a.example', { token: () => wait.promise });
  await turn();
  core.event(() => core.last.host.reconnecting(2, 1000, 6, 0));
  wait.resolve('late');
  await turn();
  assert.equal(made().length, 0);
});

test('a function that never answers holds up nobody: the core dials again', async () => {
  let asked = 0;
  const { open, core } = await facade();
  open('wss://a.example', { token: () => (asked++ ? 'abc' : new Promise(() => {})) });
  await turn();
  core.event(() => {
    core.last.host.reconnecting(2, 0, 6, 0);
    core.last.host.dial(2);
  });
  await turn();
  assert.equal(made().length, 1);
});

test('a function that never answers is reported, before the next attempt is announced', async () => {
  const { open, core } = await facade();
  const wire = open('wss://a.example', { token: () => new Promise(() => {}) });
  await turn();
  const events = record(wire, 'error', 'reconnecting');
  core.event(() => core.last.host.reconnecting(1, 1000, 6, 0));
  assert.deepEqual(events.map(({ type }) => type), ['error', 'reconnecting']);
  assert.equal(events[0].error.code, 'provider');
  assert.match(events[0].error.message, /protocols function failed: no answer in time/);
  assert.equal(events[1].cause, 'provider-timeout');
  // Other attempts are no errors.
  events.length = 0;
  for (const cause of [0, 1, 2, 3, 4, 5, 7, 8, 9, 13]) core.event(() => core.last.host.reconnecting(1, 1000, cause, 0));
  assert.ok(events.every(({ type }) => type === 'reconnecting'));
});

test('the core hears whether the token has changed', async () => {
  const tokens = ['a', 'a', 'b', 'b', 'a'];
  const { open, core } = await facade();
  open('wss://a.example', { token: () => tokens.shift() });
  await turn();
  for (let link = 2; link <= 5; link++) {
    core.event(() => core.last.host.dial(link));
    await turn();
  }
  assert.deepEqual(core.named('wire_dialled').map((call) => call.at(-1)), [true, false, true, false, true]);
});
