// What the test files with one page per test share.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { startLab } from './browser.mjs';
import { browsers } from './browsers.mjs';
import { cleanups } from './cleanup.mjs';
import { missingPackage } from './site.mjs';
import { startProxy } from '../proxy.mjs';

// A file runs in one browser at a time: the first that `BROWSERS` names, or Chromium.
const [browser] = browsers;
const inChromium = browser.name === 'Chromium';

/** Its name, for what is otherwise in one of them. */
export const browserName = browser.name;

/** For the `skip` of a test that is about Chromium, or needs what only Playwright can do: false, or why it cannot run here. */
export const chromiumOnly = !inChromium && 'in Chromium alone';

/**
 * Registers the hooks of a test file: one browser for all, a fresh page for each test that asks for one, everything
 * else undone after each test. Every test ends with a look at the page's uncaught errors.
 */
export function kit({ skip = missingPackage(), modules = ['wires'] } = {}) {
  let lab;
  let page = null;
  let tolerated = null;
  const cleanup = cleanups(() => {}); // behind the page, below

  before(async () => {
    assert.ok(!browser.missing, browser.missing);
    if (!skip) lab = await (inChromium ? startLab() : browser.start());
  });
  after(() => lab?.close());
  afterEach(async () => {
    try {
      const all = await (inChromium ? page?.problems : page?.problems());
      const problems = all?.filter((problem) => !tolerated?.test(problem)) ?? [];
      assert.deepEqual(problems, [], 'no uncaught error and no unhandled rejection in the page');
    } finally {
      await (inChromium ? page?.context() : page)?.close();
      page = null;
      tolerated = null;
      await cleanup.now();
    }
  });

  return {
    skip,
    get lab() {
      return lab;
    },
    /** The page of this test, made at the first use. */
    async page(options) {
      page ??= await lab.page(options);
      return page;
    },
    /** Errors of this kind may reach `window.onerror` in this test. */
    tolerate: (pattern) => (tolerated = pattern),
    cleanup: (undo) => cleanup.push(undo),

    /** Runs `steps` in the page of this test with the exports of `page/*.mjs` and what `args` holds. */
    async inPage(args, steps) {
      const page = await this.page();
      await page.evaluate(async (modules) => {
        window.lab ??= Object.assign({}, ...(await Promise.all(modules.map((name) => import(`/page/${name}.mjs`)))));
      }, modules);
      return page.evaluate(`(${steps})({...window.lab, ...${JSON.stringify(args)}})`);
    },

    /** Starts a server that records what each connection brings: `server.connections[i].texts`. */
    async serve(start, options) {
      const server = await start(options);
      record(server);
      cleanup.push(() => server.close());
      return server;
    },

    async proxyTo(server) {
      const proxy = await startProxy({ targetPort: server.port });
      cleanup.push(() => proxy.close());
      return proxy;
    },
  };
}

function record(server) {
  server.connections = [];
  server.wss.on('connection', (socket, request) => {
    const connection = { socket, protocols: request.headers['sec-websocket-protocol'], texts: [], frames: [], code: null, reason: null };
    server.connections.push(connection);
    socket.on('message', (data, isBinary) => {
      connection.texts.push(data.toString());
      connection.frames.push({ isBinary, data });
      server.wss.emit('change');
    });
    socket.on('close', (code, reason) => {
      Object.assign(connection, { code, reason: reason.toString() });
      server.wss.emit('change');
    });
    server.wss.emit('change');
  });
  server.envelopes = () => server.connections.flatMap(({ texts }) => texts.map((text) => JSON.parse(text)));
  server.contents = () => server.envelopes().filter(({ type }) => type === 'text').map(({ content }) => content);
}
