// Whoever looks for secrets in a log finds them, wherever they stand.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { leaks } from './harness/leaks.mjs';

const MIB = 1 << 20;
let directory;
before(async () => (directory = await mkdtemp(path.join(os.tmpdir(), 'everwire-leaks-'))));
after(() => rm(directory, { recursive: true, force: true }));

async function look(text, secrets) {
  const file = path.join(directory, 'log');
  await writeFile(file, text);
  return leaks(file, secrets);
}

test('a log without secrets, and an empty one', async () => {
  assert.deepEqual(await look('a b c', ['secret']), { bytes: 5, found: [] });
  assert.deepEqual(await look('', ['secret']), { bytes: 0, found: [] });
});

test('each secret is told once, with what stands before it', async () => {
  const { found } = await look('token=one and token=two and token=one', ['one', 'two', 'three']);
  assert.deepEqual(found, [['one', 'token=one'], ['two', 'token=one and token=two']]);
});

test('at every seam of a log that is read in pieces', async () => {
  const secret = 'secret-é';
  for (let before = MIB - 12; before <= MIB + 2; before++) {
    for (const around of [[secret], [secret, 'x'.repeat(40)]]) {
      const { bytes, found } = await look(`${'.'.repeat(before)}${secret}${'.'.repeat(MIB)}`, around);
      assert.equal(bytes, before + 9 + MIB);
      assert.deepEqual(found.map(([what]) => what), [secret], `behind ${before} octets`);
    }
  }
});
