// Bundles glue and facade each alone, minified as published, so that their sizes can be told apart.
//
//   node xtask/js/parts.mjs --glue DIR --out DIR
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const { values } = parseArgs({ options: { glue: { type: 'string' }, out: { type: 'string' } } });
const common = { bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'silent' };

await build({
  ...common,
  // Without the default export, the asynchronous start: the facade uses the synchronous one.
  stdin: { contents: `export * from './everwire.js';`, resolveDir: values.glue },
  outfile: resolve(values.out, 'glue.js'),
});
await build({
  ...common,
  entryPoints: [resolve(root, 'pkg-template/src/slim.ts')],
  external: ['everwire-glue'],
  outfile: resolve(values.out, 'facade.js'),
});
