// Messages as async iterators.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrives, load, opened, record, turn } from './helpers.mjs';

const text = (content) => JSON.stringify({ type: 'text', content });

async function streaming(options) {
  const made = await opened();
  const errors = record(made.wire, 'error');
  const messages = made.wire.messages('text', options);
  const come = (...contents) => contents.forEach((content) => arrives(made.host, text(content)));
  return { ...made, errors, messages, come };
}

const contents = async (messages) => {
  const got = [];
  for await (const { content } of messages) got.push(content);
  return got;
};

test('messages come in order, those before the pull and those after', async () => {
  const { messages, come, wire } = await streaming();
  come(1, 2);
  const all = contents(messages);
  await turn();
  come(3);
  await turn();
  come(4);
  await wire.close();
  assert.deepEqual(await all, [1, 2, 3, 4]);
});

test('several pulls at once are answered in their order', async () => {
  const { messages, come, wire } = await streaming();
  const pulls = [messages.next(), messages.next(), messages.next()];
  come('a', 'b');
  await wire.close();
  assert.deepEqual((await Promise.all(pulls)).map(({ done, value }) => [done, value?.content]), [[false, 'a'], [false, 'b'], [true, undefined]]);
});

test('break ends it: the handler is gone, and later pulls are done', async () => {
  const { messages, come } = await streaming();
  come(1, 2, 3);
  for await (const { content } of messages) if (content === 2) break;
  come(4);
  assert.deepEqual(await messages.next(), { done: true, value: undefined });
});

test('await using ends it', async () => {
  const { wire } = await streaming();
  const other = wire.messages('text');
  const pull = other.next();
  await other[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]();
  assert.deepEqual(await pull, { done: true, value: undefined });
});

test('a signal ends it; one that is aborted already, at once', async () => {
  const controller = new AbortController();
  const { messages, come, wire } = await streaming({ signal: controller.signal });
  come(1);
  controller.abort();
  assert.deepEqual(await messages.next(), { done: true, value: undefined });
  assert.equal((await wire.messages('text', { signal: AbortSignal.abort() }).next()).done, true);
});

test('close ends it behind what had come; on a closed wire it is over before it begins', async () => {
  const { messages, come, wire } = await streaming();
  come(1, 2);
  await wire.close();
  assert.deepEqual(await contents(messages), [1, 2]);
  assert.deepEqual(await contents(wire.messages('text')), []);
});

test('the death of the core ends it', async () => {
  const { messages, core } = await streaming();
  const pull = messages.next();
  core.instances.at(-1).panicked('boom');
  assert.equal((await pull).done, true);
});

test('it is bounded: the oldest leave, and one error says so until all has been pulled', async () => {
  const { messages, come, wire, errors } = await streaming({ buffer: 2 });
  come(1, 2);
  await turn();
  assert.equal(errors.length, 0);
  come(3, 4);
  await turn();
  assert.deepEqual(errors.map(({ error }) => error.code), ['iterator-full']);
  assert.deepEqual([(await messages.next()).value.content, (await messages.next()).value.content], [3, 4]);
  const pull = messages.next();
  come(5, 6, 7, 8);
  assert.equal((await pull).value.content, 5);
  await turn();
  assert.equal(errors.length, 2);
  await wire.close();
  assert.deepEqual(await contents(messages), [7, 8]);
});

test('the default bound is 1,024, and its option is checked', async () => {
  const { messages, come, errors, wire } = await streaming();
  come(...Array.from({ length: 1024 }, (_, at) => at));
  await turn();
  assert.equal(errors.length, 0);
  come(1024);
  await turn();
  assert.equal(errors.length, 1);
  assert.equal((await messages.next()).value.content, 1);
  for (const buffer of [0, 65_537, NaN, '5', null]) assert.throws(() => wire.messages('text', { buffer }), /buffer must be 1 – 65536/);
  for (const buffer of [1, 65_536]) wire.messages('text', { buffer });
  assert.throws(() => wire.messages('text', { signal: {} }), /signal/);
});

test('what is held is done at the pull behind its own, at return, and when the wire has closed', async () => {
  const { Streams } = await load('streams');
  const streams = new Streams();
  let handler;
  const done = [];
  const messages = streams.open((fn) => ((handler = fn), () => {}), (message) => message !== 'cast', 1, undefined, () => done.push('overrun'));
  for (const message of ['a', 'b', 'c', 'd']) handler(message).then(() => done.push(message));
  await messages.next();
  await turn();
  assert.deepEqual(done, []);
  await messages.next();
  await turn();
  assert.deepEqual(done, ['a']);
  assert.equal(handler('cast'), undefined);
  handler('cast');
  assert.deepEqual(done, ['a', 'overrun'], 'only casts are bounded');
  await messages.return();
  await turn();
  assert.deepEqual(done, ['a', 'overrun', 'b', 'c', 'd']);
});
