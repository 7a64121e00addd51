// The browser's reader of `everwire.v1` bodies, held against the shared vectors: tests/vectors/bodies/README.md.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as esbuild from 'esbuild';

const { outputFiles } = await esbuild.build({
  entryPoints: [new URL('../src/session/inbound.ts', import.meta.url).pathname], bundle: true, write: false, format: 'esm', target: 'es2022',
});
const { read } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);

const vectors = (name) => JSON.parse(readFileSync(new URL(`../../tests/vectors/bodies/${name}.json`, import.meta.url), 'utf8'));
const octets = (spelled) => Buffer.concat((Array.isArray(spelled) ? spelled : [spelled]).map((part) => {
  if (typeof part === 'string') return Buffer.from(part);
  return part.hex === undefined ? Buffer.from(part.repeat.repeat(part.times)) : Buffer.from(part.hex, 'hex');
}));
const isUtf8 = (bytes) => Buffer.from(bytes.toString('utf8')).equals(bytes);

const all = () => true;
const UNREADABLE = 6;
const NONE = -1;
// What a table says of a member's range, or of several together, is the core's to judge; of a name that stands twice a client may
// take either. [FRM-12]
const CORES = new Set(['table', 'version', 'number-range', 'name-repeated', 'count', 'cast-count', 'batch-too-long']);

/** How many of a file were looked at, so that none is left out in silence. */
function each(name, look) {
  test(`${name}.json`, () => {
    const tally = { read: 0, unreadable: 0, core: 0, impossible: 0 };
    for (const vector of vectors(name)) tally[look(vector)]++;
    console.log(`${name}: ${JSON.stringify(tally)}`);
    assert.ok(tally.read > 0);
  });
}

/** A body behind this header line. A browser hands on no text that is not UTF-8. */
function readBody(head, body) {
  return isUtf8(body) ? read(`${head}\n${body}`, all, () => true) : undefined;
}

/** [WELC-2] [LOST-6] [AWAY-2] [AUTH-1] [ERR-6] [FRM-12] */
for (const [name, kind, head] of [['welcome', 1, 'welcome'], ['lost', 2, 'lost'], ['goaway', 3, 'goaway 0 1000'], ['auth', 4, 'auth']]) {
  each(name, ({ name: which, body, error, from }) => {
    const bytes = octets(body);
    const found = readBody(head, bytes);
    if (from === 'client' || !found) return 'impossible';
    assert.equal(found.head, head);
    assert.equal(found.found[2], bytes.length, `${which}: octets of the body`);
    if (error === undefined) {
      assert.equal(found.found[0], kind, which);
      return 'read';
    }
    if (CORES.has(error)) return 'core';
    assert.equal(found.found[0], UNREADABLE, `${which}: ${error}`);
    assert.equal(found.found.length, 4, `${which}: nothing is left of it`);
    return 'unreadable';
  });
}

/** The whole of a `welcome` crosses the boundary, in the order that the core reads. */
test('a welcome, member by member', () => {
  const body = {
    version: 1, identity: 'me', producer: 'successor', born: 2, mark: 3, refused: [[3, 'no']], credit: 9, logEpoch: 'e', position: 7,
    rooms: [{ room: 'me', from: 1, grant: 'g' }, { room: 'r', from: 2 }], denied: [{ room: 'd', code: 'forbidden' }],
    lost: { subjects: ['r'], first: 8 }, durable: true, heartbeat: 5, window: 6, limits: { message: 1024, rooms: 4 }, expires: null, time: 10, features: [],
  };
  const { found, texts } = readBody('welcome', Buffer.from(JSON.stringify(body)));
  assert.deepEqual(found.slice(4), [1, 2, 3, 9, 7, 1, 5, 6, 1024, 4, NONE, 10, 8, 1, 3, 2, 1, 2, 1, 1]);
  assert.deepEqual(texts, ['me', 'e', 'no', 'me', 'g', 'r', '', 'd', 'forbidden', 'r']);
});

/** [FRM-5] [ERR-6] [ERR-7] */
each('arrays', ({ name: which, body, elements, error }) => {
  const found = readBody('reply 1', octets(body));
  if (!found) return 'impossible';
  if (error === undefined) {
    assert.equal(found.elements.length, elements.length, which);
    return 'read';
  }
  if (CORES.has(error)) return 'core';
  assert.equal(found.found[0], UNREADABLE, `${which}: ${error}`);
  return 'unreadable';
});

/** [FRM-6] [FRM-7] [ERR-8] */
each('elements', ({ name: which, form, element, content_bytes: many = 0, node, client }) => {
  const line = octets(element);
  let found;
  if (form === 'binary') found = read(Buffer.concat([Buffer.from('reply 1\n'), line, Buffer.from('\n'), Buffer.alloc(many)]), all, all);
  else if (isUtf8(line)) found = read(`reply 1\n[${line}]`, all, all);
  else return 'impossible';
  if (client === 'either' || client === undefined) return 'core';
  if (line.includes('\n') && form === 'binary') return 'impossible';
  const taken = found.found[0] === 5 && found.found[4] !== NONE;
  assert.equal(taken, client === true, `${which}: ${node}`);
  return taken ? 'read' : 'unreadable';
});

test('subjects cross once a frame, those that stand together as one, and what nobody wants is skipped', () => {
  const body = [
    { type: 'a', receiver: 'r' }, { type: 'a', receiver: 'r' }, { type: 'b', receiver: 'r' }, { type: 'a', receiver: 'q' }, { type: 'a' }, 5, { type: 'a', receiver: 'r' },
  ];
  const { found, texts, elements } = read(`push 0 7 1 2 3 4 5 6 7\n${JSON.stringify(body)}`, ({ type }) => type === 'a', all);
  assert.deepEqual(found.slice(4), [0, 2, NONE, 1, 1, 1, NONE, 2, 0, 1]);
  assert.deepEqual(texts, ['r', 'q']);
  assert.equal(elements.length, 7);
});

/** [FRM-15] */
test('a message without meta has not been read, and any other meta is as it came', () => {
  const metas = [undefined, null, 5, {}, { read: true, delivered: false, more: 1 }];
  for (const header of ['push 0 9 1 2 3 4 5', 'cast', 'page 1 end 1 2 3 4 5']) {
    const { elements } = read(`${header}\n${JSON.stringify(metas.map((meta) => ({ type: 't', receiver: 'r', meta })))}`, all, all);
    assert.deepEqual(elements.map(({ meta }) => meta), [{ read: false, delivered: false }, ...metas.slice(1)], header);
  }
  // An application may change what it was given.
  const { elements: [one, other] } = read('push 0 2 1 2\n[{"type":"t","receiver":"r"},{"type":"t","receiver":"r"}]', all, all);
  assert.notEqual(one.meta, other.meta);
  const { elements: [binary] } = read(Buffer.from('push 0 1 1\n{"type":"t","receiver":"r"}\nabc'), all, all);
  assert.deepEqual(binary.meta, { read: false, delivered: false });
});

test('a prototype cannot be reached from a frame', () => {
  const { elements } = read('cast\n[{"type":"t","__proto__":{"polluted":1}}]', all, all);
  assert.equal(Object.hasOwn(elements[0], '__proto__'), true);
  assert.equal({}.polluted, undefined);
});

test('binary content is a copy of its own', () => {
  const frame = Buffer.from('push 0 1 1\n{"type":"t","receiver":"r"}\nabc');
  const { elements, found } = read(frame, all, all);
  assert.deepEqual([...elements[0].content], [97, 98, 99]);
  assert.notEqual(elements[0].content.buffer, frame.buffer);
  assert.deepEqual(found, [5, 1, 31, 27, 0, 1]);
});

test('what is no frame at all', () => {
  for (const data of [undefined, 5, null, {}]) assert.deepEqual(read(data, all, all).found.slice(0, 3), [0, 0, NONE]);
  assert.equal(read('ping 1', all, all).head, 'ping 1');
  assert.deepEqual(read('push 0 1 1', all, all).found, [UNREADABLE, 0, NONE, NONE]);
});
