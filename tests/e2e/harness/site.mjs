// The pages under test: a static server on loopback that hands out the built package as it is, without a bundler,
// and the peers bundled on the fly.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openChannels } from './channel.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../../..');
/** The published package. */
export const packageDir = path.resolve(root, process.env.EVERWIRE_PKG ?? 'pkg');
/** The build with the hook that provokes traps. */
export const trapDir = path.resolve(root, process.env.EVERWIRE_PKG_TRAP ?? 'target/pkg-trap');
/** The built page of `examples/leptos-chat`. */
export const chatDir = path.resolve(root, process.env.EVERWIRE_LEPTOS_CHAT ?? 'target/leptos-chat/site');
const pageDir = path.resolve(here, '../page');

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** Why the tests that need the built package cannot run, or false. For the `skip` of a test that may do without. */
export function missingPackage(dir = packageDir) {
  return existsSync(path.join(dir, 'package.json')) ? false : `no package at ${path.relative(root, dir)}: run cargo xtask build`;
}

/** The same, of the chat. */
export function missingChat() {
  return existsSync(path.join(chatDir, 'index.html')) ? false : `no page at ${path.relative(root, chatDir)}: run cargo xtask leptos-chat`;
}

/** The file behind an entry of the package's `exports`: `'.'`, `'./slim'`. */
export function entryFile(entry = '.', dir = packageDir) {
  const { exports } = JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8'));
  let target = exports[entry];
  while (typeof target === 'object') target = target.browser ?? target.import ?? target.default;
  if (!target) throw new Error(`package.json exports no ${entry}`);
  return target.replace(/^\.\//, '');
}

/** What a page imports, and the file of the package that it is. */
const ENTRIES = { everwire: '.', 'everwire/slim': './slim', 'everwire/exactly-once': './exactly-once', 'everwire/exactly-once/slim': './exactly-once/slim' };

function blankPage() {
  const imports = {};
  if (!missingPackage()) for (const [name, entry] of Object.entries(ENTRIES)) imports[name] = `/pkg/${entryFile(entry)}`;
  return `<!doctype html><meta charset="utf-8"><title>everwire end to end</title><link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports })}</script><body></body>`;
}

const bundles = new Map();

/** A module of `page/`, with everything from node_modules inside it; `everwire` stays the built package's own file. */
function bundle(name) {
  if (!bundles.has(name)) {
    bundles.set(
      name,
      import('esbuild').then(async ({ build }) => {
        const result = await build({
          entryPoints: [path.join(pageDir, name)],
          bundle: true,
          write: false,
          format: 'esm',
          target: 'es2022',
          external: Object.keys(ENTRIES),
          logLevel: 'error',
        });
        return result.outputFiles[0].text;
      }),
    );
  }
  return bundles.get(name);
}

/**
 * `page/worker.mjs` for a worker, where there are no import maps: as a module that imports the built package's own files, or as a
 * classic script with the package inside it, as a bundler makes it.
 */
async function worker(name) {
  const isModule = name === 'module.js';
  if (!isModule && name !== 'classic.js') throw Object.assign(new Error(name), { code: 'ENOENT' });
  const { build } = await import('esbuild');
  const entries = {
    name: 'entries of the package',
    setup({ onResolve }) {
      onResolve({ filter: /^everwire/ }, ({ path: name }) => {
        const file = entryFile(ENTRIES[name]);
        return isModule ? { path: `/pkg/${file}`, external: true } : { path: path.join(packageDir, file) };
      });
    },
  };
  const result = await build({
    entryPoints: [path.join(pageDir, 'worker.mjs')],
    bundle: true, write: false, format: isModule ? 'esm' : 'iife', target: 'es2022', plugins: [entries], logLevel: 'error',
  });
  return result.outputFiles[0].text;
}

/** What the site answers: `{status, type, body}`. Also for `page.route`, where another origin has to be served. */
export async function answer(pathname) {
  const notFound = { status: 404, type: 'text/plain', body: 'not found' };
  if (pathname === '/') return { status: 200, type: TYPES['.html'], body: blankPage() };
  try {
    if (pathname.startsWith('/page/')) return { status: 200, type: TYPES['.js'], body: await bundle(pathname.slice(6)) };
    if (pathname.startsWith('/worker/')) return { status: 200, type: TYPES['.js'], body: await worker(pathname.slice(8)) };
    for (const [prefix, dir] of [['/pkg/', packageDir], ['/pkg-trap/', trapDir], ['/leptos-chat/', chatDir]]) {
      if (!pathname.startsWith(prefix)) continue;
      const file = path.join(dir, path.normalize(decodeURIComponent(pathname.slice(prefix.length))));
      if (!file.startsWith(dir + path.sep)) return notFound;
      return { status: 200, type: TYPES[path.extname(file)] ?? 'application/octet-stream', body: await readFile(file) };
    }
  } catch (error) {
    if (error.code === 'ENOENT') return notFound;
    return { status: 500, type: 'text/plain', body: String(error) };
  }
  return notFound;
}

/** Serves the site at a free port of loopback. */
export async function startSite() {
  const server = createServer(async (request, response) => {
    const { status, type, body } = await answer(new URL(request.url, 'http://site').pathname);
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-cache' }).end(body);
  });
  const channels = openChannels(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return {
    origin: `http://127.0.0.1:${port}`,
    /** A way for one page to tell its test something: `{url}` for the page's end of it, see `channel.mjs`. */
    channel: (hear) => channels.open(`ws://127.0.0.1:${port}`, hear),
    close: async () => {
      channels.close();
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
    },
  };
}
