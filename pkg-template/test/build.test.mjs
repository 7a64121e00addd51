import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { toText } from '../wasm-text.mjs';
import { emptyWasm } from './helpers.mjs';

const dir = mkdtempSync(join(tmpdir(), 'everwire-build-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const script = fileURLToPath(new URL('../build.mjs', import.meta.url));

// The shape that `wasm-bindgen --target web` writes.
const glue = `
let wasm;
let calls = 0;
const finalizer = (typeof FinalizationRegistry === 'undefined') ? { register: () => {} } : new FinalizationRegistry(() => wasm.drop());
export function instance_start(host) { finalizer.register(host); wasm = host; }
export function wire_create() { return ++calls; }
function initSync(module) { return new WebAssembly.Instance(module.module); }
async function __wbg_init(input) { return fetch(input ?? new URL('everwire_bg.wasm', import.meta.url)); }
export { initSync, __wbg_init as default };
`;
writeFileSync(join(dir, 'everwire.js'), glue);
writeFileSync(join(dir, 'everwire_bg.wasm'), emptyWasm);

function build(out, ...flags) {
  execFileSync(process.execPath, [script, '--glue', dir, '--session-glue', dir, '--server-glue', dir, '--out', join(dir, out), ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  return (name) => readFileSync(join(dir, out, name), 'utf8');
}

test('the glue becomes a factory: every instance has variables of its own', async () => {
  const { glueFactory } = await import('../build.mjs');
  const code = await glueFactory(dir);
  writeFileSync(join(dir, 'factory.mjs'), code);
  const { default: createGlue } = await import(pathToFileURL(join(dir, 'factory.mjs')).href);
  const [first, second] = [createGlue(), createGlue()];
  assert.deepEqual([first.wire_create(), first.wire_create(), second.wire_create()], [1, 2, 1]);
  assert.deepEqual(Object.keys(first).sort(), ['initSync', 'instance_start', 'wire_create']);
  assert.ok(!code.includes('FinalizationRegistry'), 'a finalizer would call into a dead instance');
  assert.ok(!code.includes('fetch'), 'the asynchronous start is not used');
});

test('the package is complete, and every file it names is there', async () => {
  const read = build('pkg', '--parts', join(dir, 'parts'));
  const manifest = JSON.parse(read('package.json'));
  assert.deepEqual([manifest.name, manifest.type, manifest.sideEffects, manifest.license], ['everwire', 'module', false, 'MIT OR Apache-2.0']);
  const files = readdirSync(join(dir, 'pkg'));
  const named = Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)));
  for (const name of [...named, manifest.main, manifest.types]) assert.ok(files.includes(name.slice(2)), name);
  for (const name of manifest.files.filter((each) => !/LICENSE|CHANGELOG/.test(each))) assert.ok(files.includes(name), name);
  assert.deepEqual(readFileSync(join(dir, 'pkg', 'everwire.wasm')), emptyWasm);
  assert.deepEqual(readdirSync(join(dir, 'parts')).sort(), ['facade.js', 'glue.js', 'session-facade.js']);
});

test('index carries the WebAssembly, slim does not, and neither map carries it twice', async () => {
  const read = build('pkg');
  const text = toText(emptyWasm);
  assert.ok(read('index.js').includes(text));
  assert.ok(!read('slim.js').includes(text));
  assert.match(read('slim.js'), /new URL\("\.\/everwire\.wasm",import\.meta\.url\)/);
  assert.ok(!read('index.js').includes('import.meta'), 'bundlers would look for an asset');
  assert.ok(!read('index.js.map').includes(text));
  assert.ok(read('exactly-once.js').includes(text));
  assert.ok(!read('exactly-once.js').includes('import.meta'), 'bundlers would look for an asset');
  assert.ok(!read('exactly-once.js.map').includes(text));
  assert.ok(!read('exactly-once-slim.js').includes(text));
  assert.match(read('exactly-once-slim.js'), /new URL\("\.\/exactly-once\.wasm",import\.meta\.url\)/);
});

test('the way into the instance is not published', async () => {
  const internal = build('pkg', '--internal');
  assert.match(internal('testing-internal.js'), /currentInstance/);
  const published = build('pkg');
  assert.throws(() => published('testing-internal.js'), /ENOENT/);
  for (const name of ['index.js', 'slim.js', 'exactly-once.js', 'exactly-once-slim.js']) assert.ok(!published(name).includes('currentInstance'));
});

test('nothing needs eval', () => {
  const read = build('pkg');
  for (const name of ['index.js', 'slim.js', 'exactly-once.js', 'exactly-once-slim.js']) assert.doesNotMatch(read(name), /\beval\(|new Function\b/);
});
