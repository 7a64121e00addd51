import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { toText } from '../wasm-text.mjs';

const entry = fileURLToPath(new URL('../src/wasm-text.ts', import.meta.url));
const { outputFiles } = await build({ entryPoints: [entry], write: false, format: 'esm', target: 'es2022' });
const { fromText } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);

const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** The same at every run. */
function noise(length, mask) {
  let state = 1;
  return Uint8Array.from({ length }, () => ((state = (state * 48271) % 0x7fffffff) >> 8) & mask);
}

for (const [name, bytes] of [
  ['nothing', new Uint8Array()],
  ['every byte', all],
  ['every byte, the last most often', Uint8Array.from([...all, ...all.slice(128), ...all.slice(200)])],
  ['one byte', new Uint8Array(1000).fill(200)],
  ['noise', noise(100_000, 255)],
  ['noise of few values', noise(100_000, 31)],
]) {
  test(`${name} comes back`, () => {
    assert.deepEqual(Buffer.from(fromText(toText(bytes))), Buffer.from(bytes));
  });
}

test('nothing in the text has to be escaped, in a script or in a page', () => {
  for (const bytes of [all, noise(100_000, 255)]) assert.match(toText(bytes), /^[ !#-;=-[\]-~]*$/);
});

test('what repeats itself at any distance compresses', () => {
  const phrase = noise(64, 255);
  const bytes = [...Array(300).keys()].flatMap((at) => [...phrase, ...noise(at % 3, 255)]);
  assert.ok(gzipSync(toText(bytes)).length < 1.5 * gzipSync(Buffer.from(bytes)).length + 400);
});
