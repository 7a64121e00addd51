// The names of messages, when all 2³² have been given once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './helpers.mjs';

const { ticketSource } = await load('tickets');

test('a ticket is not given again while it is in use', () => {
  const inUse = new Set([2, 0, 1, 4]);
  const next = ticketSource((ticket) => inUse.has(ticket), 2 ** 32 - 3);
  assert.deepEqual(Array.from({ length: 4 }, next), [2 ** 32 - 2, 2 ** 32 - 1, 3, 5]);
});
