import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrives, load, opened } from './helpers.mjs';

const { compose, decodeOwn, encode, frameBytes, idSource, inspect } = await load('envelope');
const { utf8Cut, utf8Length } = await load('bytes');

const [MESSAGE, HEARTBEAT, INVALID, TOO_LARGE] = [0, 1, 2, 3];
const utf8 = (text) => new TextEncoder().encode(text);
const MAX = 1000;

function look(data, { binary = false } = {}) {
  const messages = [];
  const kind = inspect(data, binary, (message) => messages.push(message));
  return { kind, messages };
}

test('an envelope is handed on as it came', () => {
  for (const envelope of [
    { type: 'text', content: 'hi' },
    { type: 'welcome', message: 'no full envelope' },
    { type: '', extra: [1, { a: null }] },
    { type: 'text', id: 5, sender: {}, meta: null },
  ]) {
    const text = JSON.stringify(envelope);
    assert.deepEqual(look(text), { kind: MESSAGE, messages: [envelope] });
  }
});

test('malformed frames', () => {
  for (const data of [
    '', ' ', 'hello', '{', '{"type":"text"', "{'type':'text'}", 'null', 'true', '5', '"text"', '{}', '{"type":5}', '{"type":null}',
    '{"type":["text"]}', '{"Type":"text"}', '[null]', '[5]', '["text"]', '[[{"type":"text"}]]', '{"type":"a"}{"type":"b"}',
    '{"type":"a"}\n{"type":"b"}', 'NaN', 'undefined', '{"content":1e400}',
    undefined, null, 5, {}, [], new Date(), { size: 3, type: 'text' },
  ]) {
    assert.deepEqual(look(data), { kind: INVALID, messages: [] }, String(data));
  }
});

test('a batch', () => {
  const [a, b] = [{ type: 'a' }, { type: 'b', content: 1 }];
  assert.deepEqual(look(JSON.stringify([a, b])).messages, [a, b]);
  assert.deepEqual(look('[]'), { kind: MESSAGE, messages: [] });
  assert.deepEqual(look(JSON.stringify([a, { type: 'heartbeat' }, b])), { kind: MESSAGE, messages: [a, b] });
});

test('what is wrong in a batch is reported, and the rest is handed on', () => {
  for (const wrong of [5, null, 'x', {}, [], { type: 1 }]) {
    assert.deepEqual(look(JSON.stringify([wrong, { type: 'a' }, wrong])), { kind: INVALID, messages: [{ type: 'a' }] });
  }
});

test('heartbeats are never messages', () => {
  for (const data of [
    '{"type":"heartbeat"}', '{"type":"heartbeat","content":1}', ' {"type" : "heartbeat"} ', '[{"type":"heartbeat"}]',
    utf8('{"type":"heartbeat"}').buffer, utf8('{"type":"heartbeat"}'),
  ]) {
    assert.deepEqual([look(data).kind, look(data).messages], [HEARTBEAT, []]);
  }
  const batch = look('[{"type":"heartbeat"},{"type":"a"}]');
  assert.deepEqual([batch.kind, batch.messages], [MESSAGE, [{ type: 'a' }]]);
});

test('a binary frame of UTF-8 JSON is an envelope: ws echoes text so', () => {
  const text = '{"type":"text","content":"grüße 🙂"}';
  for (const data of [utf8(text).buffer, utf8(text), Buffer.from(text), new DataView(utf8(text).buffer)]) {
    assert.deepEqual(look(data), { kind: MESSAGE, messages: [JSON.parse(text)] });
    assert.equal(frameBytes(data, MAX), utf8(text).length);
  }
  assert.equal(look(utf8(`\ufeff${text}`)).kind, MESSAGE);
  assert.equal(look(utf8(JSON.stringify(JSON.parse(text), null, 2)), { binary: true }).messages[0].content, 'grüße 🙂');
});

test('binary frames that are no UTF-8 JSON', () => {
  for (const bytes of [[0xff], [0x7b, 0xc3, 0x28, 0x7d], [], [0], [0x22, 0xed, 0xa0, 0x80, 0x22]]) {
    assert.equal(look(new Uint8Array(bytes)).kind, INVALID);
    assert.equal(look(new Uint8Array(bytes), { binary: true }).kind, INVALID);
  }
});

test('prototype keys stay data', () => {
  for (const data of [
    '{"type":"text","__proto__":{"polluted":1}}', '{"type":"text","constructor":{"prototype":{"polluted":1}}}',
    utf8('{"type":"text","__proto__":{"polluted":1}}\n\x01'),
  ]) {
    const [message] = look(data, { binary: true }).messages;
    assert.equal(Object.getPrototypeOf(message), Object.prototype);
    assert.equal(message.polluted, undefined);
    assert.equal({}.polluted, undefined);
  }
  assert.equal(look('{"__proto__":{"type":"text"}}').kind, INVALID);
  assert.equal(look('[{"__proto__":{"type":"text"}}]').kind, INVALID);
});

test('the limit is in UTF-8 bytes, on both sides of the edge', async () => {
  const frame = (content) => JSON.stringify({ type: 'a', content });
  const overhead = frame('').length;
  const arriving = async (data, maxMessageBytes) => {
    const { wire, host, core } = await opened({ maxMessageBytes });
    const seen = [];
    wire.on('a', () => seen.push('message'));
    wire.addEventListener('error', ({ error }) => seen.push(error.code));
    arrives(host, data);
    const [[, , link, kind]] = core.named('wire_frame');
    assert.equal(link, 1);
    return { kind, seen, bytes: wire.stats().received.bytes };
  };
  for (const [char, size] of [['x', 1], ['é', 2], ['€', 3], ['🙂', 4]]) {
    const fits = frame(char.repeat(10));
    const bytes = overhead + 10 * size;
    for (const data of [fits, utf8(fits)]) {
      assert.deepEqual(await arriving(data, bytes), { kind: MESSAGE, seen: ['message'], bytes });
      const { kind, seen } = await arriving(data, bytes - 1);
      assert.deepEqual([kind, seen], [TOO_LARGE, ['too-large']]);
    }
  }
  // A heartbeat is no exception, and what is too long by units is never measured or parsed.
  assert.equal((await arriving('{"type":"heartbeat"}', 5)).kind, TOO_LARGE);
  assert.deepEqual(await arriving('é'.repeat(5000), 4999), { kind: TOO_LARGE, seen: ['too-large'], bytes: 5000 });
});

test('nesting beyond reason is no crash', () => {
  const deep = '{"type":"a","content":' + '['.repeat(400_000) + ']'.repeat(400_000) + '}';
  assert.ok([MESSAGE, INVALID].includes(look(deep).kind));
});

test('lengths, however long and wherever the scratch buffer ends', () => {
  for (const char of ['x', 'é', '€', '🙂', '\ud800']) {
    for (const count of [0, 1, 2047, 2048, 2049, 4096, 8191, 8192, 8193, 30_000]) {
      const text = char.repeat(count);
      assert.equal(utf8Length(text), utf8(text).length);
      assert.equal(utf8Length('x' + text), 1 + utf8(text).length);
    }
  }
});

test('cutting ends between characters', () => {
  assert.equal(utf8Cut('x'.repeat(200), 123), 'x'.repeat(123));
  assert.equal(utf8Cut('é'.repeat(100), 123), 'é'.repeat(61));
  assert.equal(utf8Cut('🙂'.repeat(100), 123), '🙂'.repeat(30));
  assert.equal(utf8Cut('xx' + '🙂'.repeat(31), 126), 'xx' + '🙂'.repeat(31));
  assert.equal(utf8Cut('short', 123), 'short');
});

const text = (content, fields = {}) => encode({ ...compose('i', 'text', 'me', null, content), ...fields }, false, MAX);
const code = (code) => ({ name: 'EverwireError', code });

test('the envelope that is sent', () => {
  const before = Date.now();
  const sent = JSON.parse(encode(compose('i', 'text', 'me', 'you', { a: [1] }, { read: true, tag: 'x' }), false, MAX));
  const { timestamp, ...rest } = sent;
  assert.deepEqual(rest, {
    id: 'i', type: 'text', sender: 'me', receiver: 'you', content: { a: [1] }, meta: { read: true, delivered: false, tag: 'x' },
  });
  assert.ok(timestamp >= before && timestamp <= Date.now());
});

test('what JSON holds goes through', () => {
  for (const content of ['', 0, false, null, [], {}, 'ü\ud800', new Date(0), { nested: undefined }, Object.create(null), { toJSON: () => 5 }]) {
    assert.equal(JSON.stringify(JSON.parse(text(content)).content), JSON.stringify(content));
  }
});

test('content that JSON cannot hold', () => {
  const cycle = {};
  cycle.self = cycle;
  const throws = { get field() { throw new Error('getter'); } };
  for (const content of [
    undefined, () => {}, Symbol('s'), 5n, { deep: [5n] }, cycle, throws, { toJSON: () => undefined }, { toJSON() { throw new Error('toJSON'); } },
    new Blob(['x']),
  ]) {
    assert.throws(() => text(content), code('content'), typeof content);
  }
  assert.throws(() => encode(compose('i', 'text', null, null, 1, { big: 5n }), false, MAX), code('content'));
});

test('arguments of the wrong type', () => {
  for (const fields of [{ id: 5 }, { type: 5 }, { type: undefined }, { receiver: 5 }, { receiver: {} }]) {
    assert.throws(() => text('x', fields), code('content'));
  }
  assert.throws(() => text('x', { type: 'heartbeat' }), code('content'));
});

test('binary content', () => {
  const bytes = new Uint8Array([0, 255, 10, 7, 10]);
  const shared = new Uint8Array(new SharedArrayBuffer(5));
  shared.set(bytes);
  const outer = new Uint8Array([9, ...bytes, 9]);
  for (const content of [bytes, bytes.buffer, outer.subarray(1, 6), new DataView(outer.buffer, 1, 5), shared, shared.buffer]) {
    assert.throws(() => text(content), code('binary-disabled'));
    const frame = encode(compose('i', 'file', null, null, content), true, MAX);
    const line = frame.indexOf(10);
    const head = JSON.parse(Buffer.from(frame.subarray(0, line)));
    assert.equal('content' in head, false);
    assert.deepEqual([...frame.subarray(line + 1)], [...bytes]);
    assert.deepEqual(decodeOwn(frame), { ...head, content: bytes });

    const { messages: [message] } = look(frame.buffer, { binary: true });
    assert.ok(message.content instanceof Uint8Array);
    assert.deepEqual(message, { ...head, content: bytes });
    assert.equal(look(frame.buffer).kind, INVALID);
  }
});

test('binary content is copied when it is sent, and when it arrives', () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const frame = encode(compose('i', 'file', null, null, bytes), true, MAX);
  bytes.fill(0);
  const { messages: [message] } = look(frame.buffer, { binary: true });
  frame.fill(0);
  assert.deepEqual([...message.content], [1, 2, 3]);
});

test('empty binary content, and content over the limit', () => {
  const frame = encode(compose('i', 'file', null, null, new ArrayBuffer(0)), true, MAX);
  assert.deepEqual(look(frame, { binary: true }).messages[0].content, new Uint8Array(0));
  assert.throws(() => encode(compose('i', 'file', null, null, new ArrayBuffer(MAX + 1)), true, MAX), code('too-large'));
});

test('ids: the wire, the ticket, and what nobody can guess', () => {
  const ids = idSource(new Uint32Array([1, 2 ** 32 - 1, 0]));
  const all = Array.from({ length: 1000 }, () => ids.next(2 ** 32 - 1));
  assert.match(all[0], /^00000001ffffffff00000000-4294967295-\d{1,10}$/);
  assert.equal(new Set(all).size, 1000, 'the same ticket, later, is another id');
  assert.equal(ids.ticketOf(all[0]), 2 ** 32 - 1);
  for (const foreign of [undefined, null, 7, {}, '', 'x', all[0].slice(1), idSource(new Uint32Array(3)).next(1)]) {
    assert.equal(ids.ticketOf(foreign), undefined);
  }
  assert.ok(Number.isNaN(ids.ticketOf('00000001ffffffff00000000-')), 'a ticket that nothing has');
});
