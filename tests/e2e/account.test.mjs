// The accounting of exactly-once.test.mjs notices what it is there to notice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { account, oneOrder } from './harness/account.mjs';

const all = [0, 1, 2, 3, 4];
const settled = (at) => ({ at, settled: 1, rejected: null });
const sender = { fates: all.map(settled) };
const page = (numbers, told = []) => ({ received: numbers.map((at) => ['ann', at]), told });
const zero = { sent: 5, received: 5, lost: 0, duplicated: 0, outOfOrder: 0, toldSender: 0, toldReceiver: 0, silent: 0 };
const of = (receiver, from = sender) => account(receiver, { ann: from });

test('everything, once, in order', () => {
  assert.deepEqual(of(page(all)), zero);
});

test('a message that comes twice', () => {
  assert.deepEqual(of(page([0, 1, 2, 1, 3, 4])), { ...zero, received: 6, duplicated: 1 });
});

test('a message that comes late', () => {
  assert.deepEqual(of(page([0, 2, 3, 1, 4])), { ...zero, outOfOrder: 1 });
});

test('a message that is gone without a word', () => {
  assert.deepEqual(of(page([0, 1, 3, 4])), { ...zero, received: 4, lost: 1, silent: 1 });
});

test('a message whose promise was rejected', () => {
  const told = { fates: all.map((at) => (at === 2 ? { at, settled: 0, rejected: 'unknown' } : settled(at))) };
  assert.deepEqual(of(page([0, 1, 3, 4]), told), { ...zero, received: 4, lost: 1, toldSender: 1 });
});

test('`lost` accounts for what is missing at its place, and for nothing else', () => {
  const lost = (after) => [{ what: 'lost', after }];
  assert.deepEqual(of(page([0, 1, 4], lost(2))), { ...zero, received: 3, lost: 2, toldReceiver: 2 });
  assert.deepEqual(of(page([0, 1, 2], lost(3))), { ...zero, received: 3, lost: 2, toldReceiver: 2 });
  assert.deepEqual(of(page([3, 4], lost(0))), { ...zero, received: 2, lost: 3, toldReceiver: 3 });
  assert.deepEqual(of(page([0, 1, 4], lost(1))), { ...zero, received: 3, lost: 2, silent: 2 });
  assert.deepEqual(of(page([0, 1, 4], lost(3))), { ...zero, received: 3, lost: 2, silent: 2 });
});

test('one order', () => {
  assert.ok(oneOrder(page([0, 1, 2]), page([0, 1, 2])));
  assert.ok(oneOrder(page([0, 2, 3]), page([0, 1, 2])));
  assert.ok(!oneOrder(page([0, 1, 2]), page([0, 2, 1])));
});
