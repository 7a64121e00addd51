import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { load } from './helpers.mjs';

const file = new URL('../../tests/vectors/codes.json', import.meta.url);

test('the numbers that cross the boundary mean the same on both sides', { skip: !existsSync(file) && 'tests/vectors/codes.json is not there' }, async () => {
  const { state, cause, reason, refusal, notice, IN_DOUBT } = await load('codes');
  assert.deepEqual({ state, cause, reason, refusal, notice }, JSON.parse(readFileSync(file, 'utf8')));
  assert.equal(reason[IN_DOUBT], 'in-doubt');
});
