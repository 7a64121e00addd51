// Makes the npm package: node pkg-template/build.mjs --glue DIR --out DIR [--internal] [--parts DIR]
//   --glue      what `wasm-bindgen --target web` wrote: everwire.js and everwire_bg.wasm (after wasm-opt)
//   --session-glue  the same of the WebAssembly of `exactly-once`
//   --server-glue   the same of that of `server`, for Node
//   --out       the package, ready for `npm pack`
//   --internal  also testing-internal.js, for tests that provoke traps; never for publishing
//   --parts     facade.js and glue.js apart, minified, to be weighed
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { toText } from './wasm-text.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const GLUE = 'everwire-glue';
const WASM = 'everwire-wasm-text';
const target = 'es2022';

/**
 * Wraps wasm-bindgen's module into a factory: its variables become those of one call, so that every instance has glue
 * of its own and a dead one is abandoned whole.
 */
export async function glueFactory(dir) {
  const source = lean(await readFile(join(dir, 'everwire.js'), 'utf8'));
  const built = await esbuild.build({
    stdin: { contents: source, resolveDir: resolve(dir) },
    bundle: true,
    write: false,
    format: 'esm',
    target,
    // Rust drops its closures itself. A finalizer would call into an instance that may be dead by then.
    define: { FinalizationRegistry: 'undefined' },
    minifySyntax: true,
    logLevel: 'warning',
  });
  const code = built.outputFiles[0].text;
  const exported = /export \{([^}]*)\};\s*$/;
  const [statement, names] = code.match(exported) ?? [];
  if (!names) throw new Error('the glue does not end in an export statement');
  const properties = names.replace(/(\w+) as (\w+)/g, '$2: $1');
  return `export default function createGlue() {\n${code.slice(0, -statement.length)}return {${properties}};\n}\n`;
}

/**
 * Leaves out what a page pays for and nobody uses: the asynchronous start, `initSync` with its deprecated forms, a polyfill
 * for browsers that lack the WebAssembly features anyway. Together 0.3 KB gzip. Glue of another shape stays as it is.
 */
function lean(source) {
  const start = 'function __everwire_start({ module }) {\n' +
    '  return (wasm ??= __wbg_finalize_init(new WebAssembly.Instance(module, __wbg_get_imports()), module));\n}\n';
  const ownStart = /function __wbg_finalize_init\(instance, module\)/.test(source) && /function __wbg_get_imports\(\)/.test(source);
  return source
    .replace(/export \{ initSync, __wbg_init as default \};/, ownStart ? `${start}export { __everwire_start as initSync };` : 'export { initSync };')
    .replace(/if \(!\('encodeInto' in cachedTextEncoder\)\) \{[\s\S]*?\n\}\n/, '');
}

/** Resolves the two names that stand for the WebAssembly. `sources` maps them to code. */
export function standIns(sources) {
  return {
    name: 'everwire-stand-ins',
    setup(build) {
      const filter = /^everwire-(glue|wasm-text)$/;
      build.onResolve({ filter }, ({ path }) => ({ path, namespace: 'everwire', sideEffects: false }));
      build.onLoad({ filter, namespace: 'everwire' }, ({ path }) => ({ contents: sources[path], loader: path === WASM ? 'text' : 'js' }));
    },
  };
}

/** One entry as it is published, or with other options for tests. */
export function bundle(entry, sources, options = {}) {
  return esbuild.build({
    entryPoints: [join(here, 'src', `${entry}.ts`)],
    bundle: true,
    format: 'esm',
    target,
    minify: true,
    sourcemap: true,
    plugins: [standIns(sources)],
    logLevel: 'warning',
    ...options,
  });
}

/** A WebAssembly and what its entries are bundled with. */
async function machine(dir) {
  const wasm = await readFile(join(dir, 'everwire_bg.wasm'));
  return { wasm, sources: { [GLUE]: await glueFactory(dir), [WASM]: toText(wasm) } };
}

async function main() {
  const { values } = parseArgs({
    options: { glue: { type: 'string' }, 'session-glue': { type: 'string' }, 'server-glue': { type: 'string' }, out: { type: 'string' }, parts: { type: 'string' }, internal: { type: 'boolean' } },
  });
  if (!values.glue || !values['session-glue'] || !values['server-glue'] || !values.out) {
    console.error('usage: node pkg-template/build.mjs --glue DIR --session-glue DIR --server-glue DIR --out DIR [--internal] [--parts DIR]');
    process.exit(2);
  }
  const { wasm, sources } = await machine(values.glue);
  const session = await machine(values['session-glue']);
  const out = resolve(values.out);
  await mkdir(out, { recursive: true });
  // What an earlier --internal build may have left.
  for (const name of ['testing-internal.js', 'testing-internal.js.map']) await rm(join(out, name), { force: true });

  const entries = ['index', 'slim', 'exactly-once', 'exactly-once-slim', ...(values.internal ? ['testing-internal'] : [])];
  for (const entry of entries) {
    const outfile = join(out, `${entry}.js`);
    await bundle(entry, entry.startsWith('exactly-once') ? session.sources : sources, { outfile });
    await forgetWasm(`${outfile}.map`);
  }
  const server = await machine(values['server-glue']);
  const outfile = join(out, 'server.js');
  const forNode = { entryPoints: [join(here, 'src/server/index.ts')], platform: 'node', external: ['ws'], minify: false };
  await bundle('server', server.sources, { outfile, ...forNode });
  await forgetWasm(`${outfile}.map`);
  await writeFile(join(out, 'everwire.wasm'), wasm);
  await writeFile(join(out, 'exactly-once.wasm'), session.wasm);
  const types = ['index', 'slim', 'exactly-once', 'exactly-once-slim', 'server'].map((name) => `types/${name}.d.ts`);
  for (const name of ['package.json', 'README.md', ...types]) {
    await copyFile(join(here, name), join(out, name.replace('types/', '')));
  }
  for (const name of ['LICENSE-MIT', 'LICENSE-APACHE', 'CHANGELOG.md']) {
    if (existsSync(join(here, '..', name))) await copyFile(join(here, '..', name), join(out, name));
  }
  if (values.parts) await writeParts(resolve(values.parts), sources);
  for (const name of [...entries.map((entry) => `${entry}.js`), 'server.js', 'everwire.wasm', 'exactly-once.wasm']) {
    const bytes = await readFile(join(out, name));
    console.log(`${name}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`);
  }
}

/** The WebAssembly is in the bundle already: a second copy in its map would help nobody. */
async function forgetWasm(file) {
  const map = JSON.parse(await readFile(file, 'utf8'));
  map.sourcesContent = map.sourcesContent.map((content, at) => (map.sources[at].includes(WASM) ? '' : content));
  await writeFile(file, JSON.stringify(map));
}

async function writeParts(dir, sources) {
  const empty = { [GLUE]: 'export default () => {}', [WASM]: '' };
  await bundle('slim', empty, { outfile: join(dir, 'facade.js'), sourcemap: false });
  await bundle('exactly-once', empty, { outfile: join(dir, 'session-facade.js'), sourcemap: false });
  const { code } = await esbuild.transform(sources[GLUE], { minify: true, format: 'esm', target });
  await writeFile(join(dir, 'glue.js'), code);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
