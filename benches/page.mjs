// A page in a Chromium that nobody watches. Whoever drives one through its DevTools protocol has every frame reported to him,
// and that costs more than the frame: 67 µs of a received one instead of 26. So this one is told what to do over a WebSocket
// of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { WebSocketServer } from 'ws';
import { ARGS } from '../tests/e2e/harness/browser.mjs';
import { family, program } from '../tests/e2e/harness/programs.mjs';
import { answer } from '../tests/e2e/harness/site.mjs';

const STARTS_WITHIN_MS = 30_000;

/** The site of the tests, with a page at `/bench` that takes orders. `await site.close()`. */
export async function startSite() {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://site');
    const bench = pathname === '/bench';
    const { status, type, body } = await answer(bench ? '/' : pathname);
    response.writeHead(status, { 'content-type': type }).end(bench ? `${body}<script type="module">(${takeOrders})()</script>` : body);
  });
  const wss = new WebSocketServer({ server });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    /** One page in a browser of its own: `evaluate` and `close`. `exposed` are functions that it calls as `outside(name, …)`. */
    page: (exposed = {}) => startPage(`${origin}/bench`, wss, exposed),
    async close() {
      for (const client of wss.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
    },
  };
}

async function startPage(url, wss, exposed) {
  const profile = await mkdtemp(path.join(os.tmpdir(), 'everwire-bench-page-'));
  const browser = spawn(program('CHROMIUM', ['chromium', 'google-chrome']), ['--headless', `--user-data-dir=${profile}`, ...ARGS, url], { stdio: 'ignore' });
  const kill = () => {
    for (const pid of family(browser.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended with its parent.
      }
    }
  };
  // Also when a benchmark has failed.
  process.once('exit', kill);
  const close = async () => {
    const gone = once(browser, 'exit');
    process.off('exit', kill);
    kill();
    await gone;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const [socket] = await once(wss, 'connection', { signal: AbortSignal.timeout(STARTS_WITHIN_MS) });
    const waiting = new Map();
    let last = 0;
    socket.on('message', async (data) => {
      const { id, value, error, call, args } = JSON.parse(data);
      if (call) return socket.send(JSON.stringify({ answers: id, value: await exposed[call](...args) }));
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      if (error) reject(new Error(`in the page: ${error}`));
      else resolve(value);
    });
    return {
      /** Runs a function in the page, with one argument that JSON can hold, and resolves with what it returns or resolves to. */
      evaluate: (steps, argument = null) => new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        socket.once('close', () => reject(new Error('the page has gone')));
        socket.send(JSON.stringify({ id: last, steps: `(${steps})`, argument }));
      }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Runs in the page. `outside(name, ...args)` calls what is exposed to it. */
function takeOrders() {
  const socket = new WebSocket(location.origin.replace('http', 'ws'));
  const waiting = new Map();
  window.outside = (call, ...args) => new Promise((resolve) => {
    const id = waiting.size + 1;
    waiting.set(id, resolve);
    socket.send(JSON.stringify({ id, call, args }));
  });
  socket.onmessage = async ({ data }) => {
    const { id, steps, argument, answers, value } = JSON.parse(data);
    if (answers) return waiting.get(answers)(value);
    let answer;
    try {
      answer = { id, value: await window.eval(steps)(argument) };
    } catch (error) {
      answer = { id, error: `${error}\n${error?.stack ?? ''}` };
    }
    socket.send(JSON.stringify(answer));
  };
}
