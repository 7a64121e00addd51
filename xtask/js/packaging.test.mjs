// The package as users get it: packed, installed into an empty project without a network, imported, bundled, type-checked.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const packageDir = resolve(root, process.env.EVERWIRE_PKG ?? 'pkg');
/** A child that outlives this hangs: an import kept a timer or a socket alive. */
const HANGS = 60_000;

let project;
let installed;

before(() => {
  project = mkdtempSync(join(tmpdir(), 'everwire-packaging-'));
  const quiet = ['--ignore-scripts', '--loglevel=error'];
  run('npm', ['pack', '--pack-destination', project, ...quiet], packageDir);
  const [archive] = readdirSync(project).filter((name) => name.endsWith('.tgz'));
  write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...quiet, `./${archive}`]);
  installed = join(project, 'node_modules/everwire');
});

after(() => rmSync(project, { recursive: true, force: true }));

test('it brings nothing else along', () => {
  const packages = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
  assert.deepEqual(packages, ['everwire']);
});

for (const entry of ['everwire', 'everwire/slim', 'everwire/exactly-once', 'everwire/exactly-once/slim']) {
  test(`importing ${entry} on a server does nothing`, () => {
    const said = script(`
      const forbidden = (name) => function () { throw new Error(name + ' at import'); };
      for (const name of ['Module', 'Instance', 'compile', 'instantiate', 'compileStreaming', 'instantiateStreaming']) {
        WebAssembly[name] = forbidden('WebAssembly.' + name);
      }
      for (const name of ['fetch', 'setTimeout', 'setInterval', 'queueMicrotask', 'addEventListener', 'WebSocket']) {
        globalThis[name] = forbidden(name);
      }
      crypto.getRandomValues = forbidden('crypto.getRandomValues');
      Math.random = forbidden('Math.random');
      const before = Reflect.ownKeys(globalThis).length;
      const { connect } = await import('${entry}');
      if (typeof connect !== 'function') throw new Error('no connect');
      if (Reflect.ownKeys(globalThis).length !== before) throw new Error('a new global');
      process.stdout.write('imported');
    `);
    assert.equal(said, 'imported');
  });
}

test('the wasm compiles in this Node, and holds the exports of the boundary', () => {
  const module = new WebAssembly.Module(readFileSync(join(installed, 'everwire.wasm')));
  const names = WebAssembly.Module.exports(module).map((one) => one.name);
  for (const name of ['instance_start', 'wire_create', 'wire_connect', 'wire_submit', 'wire_free']) {
    assert.ok(names.includes(name), `${name} is exported`);
  }
});

for (const [entry, start, options = 'heartbeatInterval: 0'] of [
  ['everwire', ''],
  ['everwire/exactly-once', '', `delivery: 'exactly-once'`],
  ['everwire/slim', `await init(readFileSync(new URL('./node_modules/everwire/everwire.wasm', import.meta.url)));`],
  [
    'everwire/exactly-once/slim', `await init(readFileSync(new URL('./node_modules/everwire/exactly-once.wasm', import.meta.url)));`,
    `delivery: 'exactly-once'`,
  ],
]) {
  test(`${entry} dials an injected socket and lets the process end`, () => {
    const said = script(`
      import { readFileSync } from 'node:fs';
      import * as entry from '${entry}';
      const { connect, default: init } = entry;
      ${start}
      class Socket extends EventTarget {
        readyState = 0;
        bufferedAmount = 0;
        constructor(url) { super(); process.stdout.write(String(url)); }
        send() {}
        close() {}
      }
      const wire = connect('ws://127.0.0.1:9/chat', { WebSocket: Socket, ${options} });
      const before = wire.state;
      for (let turn = 0; turn < 20; turn += 1) await null;
      await wire.close({ timeout: 0 });
      process.stdout.write(' ' + before + ' ' + wire.state);
    `);
    assert.equal(said, 'ws://127.0.0.1:9/chat connecting closed');
  });
}

test('esbuild bundles the inlined entry into one file that needs nothing', async () => {
  const output = await bundle(`import { connect } from 'everwire'; globalThis.wire = connect('ws://x');`);
  assert.equal(output.length, 1);
  assert.doesNotMatch(output[0].text, /\bimport\s*[("'{*]|\bfrom\s*["']|\brequire\(/);
  assert.doesNotMatch(output[0].text, /\beval\(|new Function\(/);
});

for (const [entry, file] of [['everwire/slim', 'everwire.wasm'], ['everwire/exactly-once/slim', 'exactly-once.wasm']]) {
  test(`esbuild bundles ${entry} without the wasm in it`, async () => {
    const output = await bundle(`import init, { connect } from '${entry}'; init(); globalThis.connect = connect;`);
    assert.equal(output.length, 1);
    const wasm = readFileSync(join(installed, file));
    assert.ok(output[0].text.length < wasm.length, 'smaller than inlined wasm alone would be');
  });
}

test('an import that is not used leaves nothing behind', async () => {
  const output = await bundle(`import { connect } from 'everwire'; import init from 'everwire/slim';`);
  assert.ok(output[0].text.length < 200, output[0].text.slice(0, 400));
});

for (const [module, moduleResolution] of [
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
]) {
  test(`the types hold under moduleResolution ${moduleResolution}`, () => {
    write(
      'consumer.ts',
      `import { connect } from 'everwire';
       import init, { connect as slim } from 'everwire/slim';
       import { connect as exactly } from 'everwire/exactly-once';
       import initExactly, { connect as exactlySlim } from 'everwire/exactly-once/slim';
       type Messages = { text: string; typing: boolean };
       export async function main(): Promise<void> {
         const wire = connect<Messages>('wss://example.com/chat', { token: async () => 'secret', reconnect: { delayMin: 500 } });
         const off: () => void = wire.on('text', (message) => message.content.toUpperCase());
         wire.addEventListener('statechange', () => wire.state === 'open');
         const receipt = await wire.send('text', 'hello', { to: 'room' });
         const level: string = receipt.level;
         // @ts-expect-error content of the wrong type
         await wire.send('typing', 'yes');
         // @ts-expect-error a type that was not declared
         wire.on('nonsense', () => {});
         // @ts-expect-error no such option
         connect('wss://example.com', { heartbeat: 1 });
         off();
         await wire.close({ code: 4000, reason: level });
         await init();
         slim('/chat');
         await initExactly(new URL('https://example.com/exactly-once.wasm'));
         exactlySlim<Messages>('/live').join('room_456');
         const session = exactly<Messages>('wss://example.com/live', { token: async () => 'secret', outbox: { overflow: 'drop-newest' } });
         const room = session.join('room_456');
         room.on('text', async (message) => message.content.toUpperCase(), { serial: true });
         const stored: 'stored' = (await room.send('text', 'hello', { ttl: 1000, key: 'draft' })).level;
         const { messages, older } = await room.history({ count: 20 });
         if (older) await session.history('room_456', { before: older });
         const went: boolean = session.cast('typing', true, { to: stored + messages.length });
         // @ts-expect-error content of the wrong type
         await room.send('typing', 'yes');
         // @ts-expect-error no such option
         exactly('wss://example.com', { binary: went });
         session.addEventListener('undelivered', ({ reason }) => reason === 'refused');
       }
      `,
    );
    const options = { module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom', 'esnext.disposable'] };
    const compilerOptions = { ...options, strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: [] };
    write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    run(join(root, 'node_modules/.bin/tsc'), ['--project', project]);
  });
}

function write(name, text) {
  writeFileSync(join(project, name), text);
}

/** Runs an ES module in the project and returns what it printed; it must end by itself. */
function script(text) {
  write('script.mjs', text);
  return run(process.execPath, ['script.mjs']);
}

function run(program, args, cwd = project) {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: HANGS });
  } catch (error) {
    const how = error.code === 'ETIMEDOUT' ? 'did not end by itself' : `ended with ${error.status}`;
    throw new Error(`${program} ${args.join(' ')} ${how}\n${error.stdout}${error.stderr}`);
  }
}

async function bundle(contents) {
  const result = await build({
    stdin: { contents, resolveDir: project, loader: 'js' },
    absWorkingDir: project,
    bundle: true,
    write: false,
    outdir: 'out',
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
  });
  assert.deepEqual(result.warnings, []);
  return result.outputFiles;
}
