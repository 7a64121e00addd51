import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { entryFile } from './helpers.mjs';

// In a process of its own, where every global that a server lacks is missing and every other one is watched.
const probe = `
  const absent = ['window', 'self', 'document', 'location', 'navigator', 'WebSocket', 'localStorage', 'sessionStorage', 'indexedDB'];
  for (const name of absent) delete globalThis[name];
  const touched = [];
  const watch = (target, name, label = name) => {
    const value = target[name];
    Object.defineProperty(target, name, { configurable: true, get: () => (touched.push(label), value), set: () => touched.push(label + ' set') });
  };
  for (const name of absent) watch(globalThis, name);
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch', 'crypto', 'atob', 'addEventListener', 'WebAssembly', 'Promise', 'performance', 'console'])
    watch(globalThis, name);
  watch(Math, 'random', 'Math.random');
  watch(Date, 'now', 'Date.now');
  const before = Reflect.ownKeys(globalThis);
  const exports = await import(process.argv[1]);
  const during = touched.slice();
  const added = Reflect.ownKeys(globalThis).filter((key) => !before.includes(key)).map(String);
  let error;
  try { exports.connect('wss://example.com'); } catch (caught) { error = { name: caught.name, code: caught.code, message: caught.message }; }
  process.stdout.write(JSON.stringify({ names: Object.keys(exports).sort(), touched: during, added, error }));
`;

for (const [entry, names] of [['index', ['EverwireError', 'connect']], ['slim', ['EverwireError', 'connect', 'default']]]) {
  test(`importing ${entry} does nothing, and connect() on a server says why it cannot`, async () => {
    const file = await entryFile(entry);
    const result = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', probe, file], { encoding: 'utf8' }));
    assert.deepEqual(result.names, names);
    assert.deepEqual(result.touched, []);
    assert.deepEqual(result.added, []);
    assert.equal(result.error.name, 'TypeError');
    assert.match(result.error.message, /no WebSocket/);
  });
}
