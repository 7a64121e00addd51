// Ids that the application has chosen are remembered, and not without end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as esbuild from 'esbuild';

const { outputFiles } = await esbuild.build({
  entryPoints: [new URL('../src/session/own-ids.ts', import.meta.url).pathname], bundle: true, write: false, format: 'esm', target: 'es2022',
});
const { OwnIds } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);

test('the last 8,192 are remembered', () => {
  const own = new OwnIds();
  for (let n = 0; n < 8192; n++) own.add(`order-${n}`);
  assert.ok(own.has('order-0') && own.has('order-8191') && !own.has('order-8192'));
  own.add('order-8192');
  assert.ok(!own.has('order-0') && own.has('order-1') && own.has('order-8192'));
  // One that is used again is a new one.
  own.add('order-1');
  own.add('order-8193');
  assert.ok(own.has('order-1') && !own.has('order-2') && own.has('order-3'));
});

test('and 1,048,576 characters of them', () => {
  const own = new OwnIds();
  const long = (name) => name.padEnd(262_144, '.');
  for (const name of ['a', 'b', 'c', 'd']) own.add(long(name));
  for (let again = 0; again < 9; again++) own.add(long('d'));
  assert.deepEqual(['a', 'b', 'c', 'd'].map((name) => own.has(long(name))), [true, true, true, true]);
  own.add('e');
  assert.deepEqual([long('a'), long('b'), 'e'].map((id) => own.has(id)), [false, true, true]);
  own.add('f'.repeat(1_048_577));
  assert.deepEqual([long('b'), long('d'), 'e', 'f'.repeat(1_048_577)].map((id) => own.has(id)), [false, false, false, false]);
  own.add('g');
  assert.ok(own.has('g'));
});
