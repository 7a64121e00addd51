// A Chromium whose tabs can be in the background. Playwright tells every page that it has the focus, and Chromium then never
// hides it, whatever another session says; so these tabs are driven over the developer tools' own protocol and nothing else.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { within } from './wait.mjs';

const START_MS = 30_000;
const CALL_MS = 60_000;
// None of the switches that keep a background tab awake.
const ARGS = [
  '--headless=new', '--remote-debugging-port=0', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', 'about:blank',
];

/** Starts it: `{ version, tab(url, { hear, init, window }), close() }`. */
export async function startTabs({ args = [] } = {}) {
  const profile = await mkdtemp(path.join(os.tmpdir(), 'everwire-tabs-'));
  const child = spawn(process.env.CHROMIUM ?? '/usr/bin/chromium', [`--user-data-dir=${profile}`, ...args, ...ARGS], { stdio: ['ignore', 'ignore', 'pipe'] });
  const end = () => child.kill();
  // A test file that fails outside of its tests closes nothing.
  process.once('exit', end);
  const ended = once(child, 'exit');
  const close = async () => {
    process.off('exit', end);
    child.kill();
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const wire = await tools(await within(START_MS, address(child.stderr)));
    const { product } = await wire.call('Browser.getVersion');
    return { version: product.split('/').at(-1), tab: (url, options) => openTab(wire, url, options), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where it listens, as it says itself. What else it says is read too, or it would stand still once the pipe is full. */
function address(stderr) {
  const lines = createInterface(stderr);
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      const found = /^DevTools listening on (ws:\S+)/.exec(line);
      if (found) resolve(found[1]);
    });
  });
}

/** The developer tools: `call(method, params, session)`, and of every session what it `says`. */
async function tools(url) {
  const socket = new WebSocket(url, { maxPayload: 256 * 1024 * 1024 });
  await once(socket, 'open');
  const calls = new Map();
  const sessions = new Map(); // session → what is called with each event
  let last = 0;
  socket.on('message', (data) => {
    const { id, result, error, method, params, sessionId } = JSON.parse(data);
    if (!id) return sessions.get(sessionId)?.(method, params);
    const { resolve, reject, what } = calls.get(id);
    calls.delete(id);
    if (error) reject(new Error(`${what}: ${error.message}`));
    else resolve(result);
  });
  socket.on('close', () => {
    for (const { reject, what } of calls.values()) reject(new Error(`${what}: the browser has gone`));
    calls.clear();
  });
  return {
    listen: (session, says) => sessions.set(session, says),
    call(method, params = {}, sessionId) {
      const id = ++last;
      const answer = new Promise((resolve, reject) => calls.set(id, { resolve, reject, what: method }));
      socket.send(JSON.stringify({ id, method, params, sessionId }));
      return within(CALL_MS, answer);
    },
  };
}

/**
 * A tab at `url`, in a window of its own if it is to be seen whichever tab is in front elsewhere. `hear` is called with all that
 * the page says by `window.tell(message)`; `init` runs in it before anything else does.
 */
async function openTab(wire, url, { hear = () => {}, init, window = false } = {}) {
  const { targetId } = await wire.call('Target.createTarget', { url: 'about:blank', newWindow: window });
  const { sessionId } = await wire.call('Target.attachToTarget', { targetId, flatten: true });
  const call = (method, params) => wire.call(method, params, sessionId);
  const problems = [];
  let loaded;
  wire.listen(sessionId, (method, params) => {
    if (method === 'Runtime.bindingCalled') hear(JSON.parse(params.payload));
    if (method === 'Runtime.exceptionThrown') problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Page.loadEventFired') loaded?.();
    if (method === 'Runtime.consoleAPICalled' && process.env.DEBUG_PAGE) console.error('page:', ...params.args.map(({ value, description }) => value ?? description));
  });
  await call('Page.enable');
  await call('Runtime.enable');
  await call('Runtime.addBinding', { name: 'tellTest' });
  await call('Page.addScriptToEvaluateOnNewDocument', { source: 'window.tell = (message) => tellTest(JSON.stringify(message));' });
  if (init) await call('Page.addScriptToEvaluateOnNewDocument', { source: `(${init})()` });
  const load = new Promise((resolve) => (loaded = resolve));
  await call('Page.navigate', { url });
  await load;
  return {
    problems,
    call,
    async evaluate(steps, argument) {
      const expression = `(${steps})(${JSON.stringify(argument) ?? ''})`;
      const { result, exceptionDetails } = await call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    },
    /** In front of the other tabs of its window, which are hidden then. */
    front: () => call('Page.bringToFront'),
    close: () => wire.call('Target.closeTarget', { targetId }),
  };
}
