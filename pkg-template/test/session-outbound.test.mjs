// Frames of `everwire.v1` as they go out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './helpers.mjs';

const { compose, encode } = await load('envelope');
const { frameOf, ownLength, ownText } = await load('session/outbound');

const NAMES = ['a', 'b', 'quote"', 'back\\slash', 'line\n', 'grüße 🙂', '\ud800'];
const CONTENTS = ['', 'x"\n', 0, null, [1, { a: 'ü' }], new Date(0), { toJSON: () => 5 }, { nested: undefined }];

function same(type, sender, receiver, content) {
  const envelope = compose('0123-1-2', type, sender, receiver, content);
  const octets = encode(envelope, true, 1000, ownText);
  const length = ownLength(octets);
  assert.equal(octets, JSON.stringify({ ...envelope, meta: undefined }));
  assert.equal(length, Buffer.byteLength(octets));
}

/** [FRM-15] */
test('a message is the JSON of its envelope without a meta that says nothing, and as long as that, whatever the last one was', () => {
  same('a', 'b', 'c', 1);
  // One differs at a time.
  for (const name of NAMES) same(name, 'b', 'c', 1);
  for (const name of [null, ...NAMES]) same('a', name, 'c', 1);
  for (const name of [null, ...NAMES]) same('a', 'b', name, 1);
  for (const content of CONTENTS) same('a', 'b', null, content);
  same('a', 'c', 'b', 1);
});

test('content that sends another message while it is written', () => {
  const other = () => encode(compose('0123-2-2', 'other', 'someone', 'elsewhere', 'ü'), true, 1000, ownText);
  same('a', 'b', 'c', { toJSON: () => (other(), 1) });
  same('a', 'b', 'c', { get nested() { return other().length; } });
});

test('content that JSON cannot hold is refused as ever', () => {
  for (const content of [undefined, () => {}, Symbol('s'), 5n, { deep: [5n] }, { toJSON: () => undefined }]) {
    assert.throws(() => encode(compose('i', 'text', null, null, content), true, 1000, ownText), { name: 'EverwireError', code: 'content' });
  }
});

test('a message of raw bytes has their length and that of its line', () => {
  const envelope = compose('0123-1-2', 'grüße', null, null, new Uint8Array(7));
  const octets = encode(envelope, true, 1000, ownText);
  assert.equal(ownLength(octets), Buffer.byteLength(JSON.stringify({ ...envelope, content: undefined })) + 1 + 7);
});

test('a frame is its header line and its messages', () => {
  assert.equal(frameOf('send 1\n', ['{"a":1}'], false), 'send 1\n[{"a":1}]');
  assert.equal(frameOf('send 1\n', ['{"a":1}', '2', '{}'], false), 'send 1\n[{"a":1},2,{}]');
  assert.equal(frameOf('send 1\n', ['1', undefined], false), undefined);
  assert.equal(frameOf('send 1\n', [undefined], false), undefined);
  assert.equal(frameOf('send 1\n', ['1', '2'], true), 'send 1\n[null]');
});
