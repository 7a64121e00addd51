// The demo's server: the page, the built package as /pkg/, the chat at /chat, the way to everwire-server at /session, and
// /control/<action> to break links.
//
//   node www/server.mjs [--port N]     or PORT=N; by default 8000, or a free port if that is taken
//
// EVERWIRE_SERVER names the built everwire-server; without it the page offers best effort only. It listens on 127.0.0.1 only.
import { createServer } from 'node:http';
import { readFile, realpath, access } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import { Chat } from './chat-server.mjs';
import { Lines } from './session-lines.mjs';
import { SessionServer } from './session-server.mjs';

const gzip = promisify(gzipCallback);
const WWW = fileURLToPath(new URL('.', import.meta.url));
const PKG = fileURLToPath(new URL('../pkg/', import.meta.url));
const DEFAULT_PORT = 8000;

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.map': 'application/json',
  '.wasm': 'application/wasm',
};
/** What may leave each folder. No `.mjs`: the server and its tests are nobody's business. */
const PAGE_FILES = ['.html', '.css', '.js', '.svg'];
const PACKAGE_FILES = ['.js', '.wasm', '.json', '.map'];

/** The paths of WebSockets, and what is delivered there. */
const SOCKETS = { '/chat': 'best-effort', '/session': 'exactly-once' };

/** As strict as a page can be that runs WebAssembly: the package has to work under it. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "connect-src 'self' ws://localhost:* ws://127.0.0.1:*",
  "style-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/**
 * Starts the server and resolves to its address and the way to end it. Port 0 takes any free one; `program` is everwire-server,
 * where there is one.
 */
export async function start({ port = 0, program = process.env.EVERWIRE_SERVER } = {}) {
  await access(join(PKG, 'index.js')).catch(() => {
    throw new Error('the package is not built: run `cargo xtask build` first');
  });
  /** What answers for each way of delivery, and breaks its links. */
  const ends = new Map([['best-effort', new Chat()]]);
  const server = createServer((request, response) => {
    respond(ends, request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  server.on('upgrade', (request, socket, head) => {
    const { origin } = request.headers;
    // A page from elsewhere must not reach in through the visitor's browser; a client that is no browser names no origin.
    const allowed = isOurs(request) && (origin === undefined || isSameOrigin(request));
    const end = allowed && ends.get(SOCKETS[pathOf(request)]);
    if (!end) return socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
    end.upgrade(request, socket, head);
  });
  await listen(server, port);
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    await Promise.all([...ends.values()].map((end) => end.shutDown()));
    server.closeAllConnections();
    await closed;
  };
  const { port: taken } = server.address();
  try {
    const origins = ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${taken}`);
    if (program) ends.set('exactly-once', new Lines(await SessionServer.start(program, origins)));
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `http://127.0.0.1:${taken}/`, close };
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}

async function respond(ends, request, response) {
  if (!isOurs(request)) return finish(response, 421, 'This server answers for localhost only.');
  const path = pathOf(request);
  if (path === null) return finish(response, 400, 'Bad path.');
  if (path.startsWith('/control/')) return control(ends, request, response, path.slice('/control/'.length));
  if (request.method !== 'GET' && request.method !== 'HEAD') return finish(response, 405, 'GET only.', { Allow: 'GET, HEAD' });
  if (path === '/deliveries.json') return finish(response, 200, JSON.stringify([...ends.keys()]), { 'Content-Type': 'application/json' });
  return serveFile(request, response, path);
}

async function control(ends, request, response, action) {
  if (request.method !== 'POST') return finish(response, 405, 'POST only.', { Allow: 'POST' });
  // Browsers send Origin with every POST: without one, or with another one, it is not the button on our page.
  if (!isSameOrigin(request)) return finish(response, 403, 'Same origin only.');
  const query = new URL(request.url, 'http://demo').searchParams;
  const seconds = Number(query.get('seconds') ?? 1);
  const room = query.get('room') ?? '';
  const user = query.get('user') ?? undefined;
  const named = [room, user ?? 'all'].every((name) => /^[\w-]{1,64}$/.test(name));
  if (!named || !(seconds >= 0.1 && seconds <= 60)) return finish(response, 400, 'room, user: a name; seconds: 0.1 to 60.');
  const end = ends.get(query.get('delivery') ?? 'best-effort');
  const links = (await end?.control(action, { room, user, seconds })) ?? null;
  if (links === null) return finish(response, 404, 'No such action.');
  return finish(response, 200, JSON.stringify({ action, links }), { 'Content-Type': 'application/json' });
}

async function serveFile(request, response, path) {
  const file = await locate(path === '/' ? '/index.html' : path);
  const body = file && (await readFile(file).catch(() => null));
  if (!body) return finish(response, 404, 'Not found.');
  const type = TYPES[extname(file)];
  const headers = { ...HEADERS, 'Content-Type': type, Vary: 'Accept-Encoding' };
  if (type === TYPES['.html']) headers['Content-Security-Policy'] = POLICY;
  // Compressed as any real host would, so that the size that the page shows is the size that travels.
  const zipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '') ? await gzip(body, { level: 9 }) : null;
  if (zipped) headers['Content-Encoding'] = 'gzip';
  headers['Content-Length'] = (zipped ?? body).length;
  response.writeHead(200, headers);
  response.end(request.method === 'HEAD' ? undefined : (zipped ?? body));
}

/** The file behind a path, or null: plain names below one of the two folders, links that lead out of it included. */
async function locate(path) {
  const inPackage = path.startsWith('/pkg/');
  const [root, rest, suffixes] = inPackage ? [PKG, path.slice(5), PACKAGE_FILES] : [WWW, path.slice(1), PAGE_FILES];
  const names = rest.split('/');
  if (!names.every((name) => /^\w[\w.-]*$/.test(name)) || !suffixes.includes(extname(rest))) return null;
  try {
    const [base, file] = await Promise.all([realpath(root), realpath(join(root, ...names))]);
    return file.startsWith(base + sep) ? file : null;
  } catch {
    return null;
  }
}

function finish(response, status, text, headers = {}) {
  response.writeHead(status, { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(text);
}

/** A foreign name that was made to resolve to 127.0.0.1 is still foreign. */
function isOurs({ headers }) {
  return /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(headers.host ?? '');
}

function isSameOrigin({ headers }) {
  return headers.origin === `http://${headers.host}`;
}

function pathOf({ url }) {
  try {
    return decodeURIComponent(url.split('?', 1)[0]);
  } catch {
    return null;
  }
}

async function main() {
  const { values } = parseArgs({ options: { port: { type: 'string' } } });
  const asked = values.port ?? process.env.PORT;
  const port = Number(asked ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port ${asked}: not a port`);
  const demo = await start({ port }).catch((error) => {
    // Only the port that nobody asked for may be replaced.
    if (error.code === 'EADDRINUSE' && asked === undefined) return start({ port: 0 });
    throw error;
  });
  console.log(`\n  everwire demo:  ${demo.url}\n\n  Ctrl+C ends it.\n`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => demo.close().then(() => process.exit(0)));
}

if (process.argv[1] && import.meta.url === pathToFileURL(await realpath(process.argv[1])).href) {
  await main().catch((error) => {
    console.error(`everwire demo: ${error.message}`);
    process.exitCode = 1;
  });
}
