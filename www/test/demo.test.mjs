// Presses every button of the demo in Chromium, with the built package, and reads what the page says about it.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { start } from '../server.mjs';

const OUT = fileURLToPath(new URL('../../tests/e2e/out/', import.meta.url));
/** Nobody waits that long: it only ends a test that hangs. */
const PATIENCE_MS = 60_000;
/** What a broken connection may write to the console by itself. */
const NETWORK_NOISE = /^WebSocket connection to '.*' failed|^Failed to load resource: net::ERR_/;

let demo;
let browser;

before(async () => {
  await mkdir(OUT, { recursive: true });
  demo = await start();
  const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
});

after(async () => {
  await browser?.close();
  await demo?.close();
});

// They mostly wait, each in a room of its own.
describe('the page', { concurrency: 4 }, () => {
  visiting('both users open, messages cross, and are settled', async (visit) => {
    assert.match(await visit.page.textContent('#loaded'), /\/pkg\/\S+ · \d+\.\d KiB gzip/);
    await visit.say('alice', 'Hello Bob, can you hear me?');
    await visit.say('bob', 'Loud and clear.');
    await visit.hears('bob', ['Hello Bob, can you hear me?']);
    await visit.hears('alice', ['Loud and clear.']);
    for (const user of ['alice', 'bob']) await visit.waitFor(`[data-user=${user}] .sent [data-status=settled]`);
  });

  for (const action of ['kill', 'refuse', 'close']) {
    for (const user of ['alice', 'bob']) {
      visiting(`${action} breaks the link of ${user}, and it comes back`, async (visit) => {
        const peer = user === 'alice' ? 'bob' : 'alice';
        await visit.breaks([user], () => visit.press(`[data-user=${user}] [data-action=${action}]`), async () => {
          for (const n of [1, 2, 3, 4, 5]) await visit.say(user, `while away ${n}`);
        });
        await visit.hears(peer, [1, 2, 3, 4, 5].map((n) => `while away ${n}`));
        assert.equal(await visit.linkOf(peer), 1, 'the other one is not touched');
      });
    }
  }

  for (const action of ['refuse', 'restart', 'kill']) {
    visiting(`${action} for both breaks both, and both come back`, async (visit) => {
      await visit.breaks(['alice', 'bob'], () => visit.press(`.everyone [data-action=${action}]`));
      await visit.say('alice', 'back');
      await visit.hears('bob', ['back']);
    });
  }

  visiting('what is written while refused waits, and leaves in order, once', async (visit) => {
    const texts = Array.from({ length: 30 }, (_, n) => `line ${n + 1}`);
    const said = visit.sayWhen('[data-user=alice][data-state=waiting]', 'alice', texts);
    await visit.breaks(['alice'], () => visit.press('[data-user=alice] [data-action=refuse]'));
    assert.deepEqual(await said, { state: 'waiting', queued: '30', marks: 30 });
    await visit.hears('bob', texts);
    await visit.decided();
    assert.deepEqual(await visit.scores(0), { sent: 30, arrived: 30, waiting: 0, underway: 0, doubtArrived: 0, doubt: 0, unsent: 0, missed: 0, again: 0, disorder: 0 });
  });

  visiting('the countdown runs, and "Now" dials at once', async (visit) => {
    await visit.press('.everyone [data-action=refuse]');
    await visit.waitFor('[data-user=alice] .next:not([hidden])');
    assert.match(await visit.page.textContent('[data-user=alice] .countdown'), /^\d+\.\d s$/);
    await visit.reopened('alice', 1);
    await visit.reopened('bob', 1);
    await visit.press('[data-user=alice] [data-action=refuse]');
    await visit.waitFor('[data-user=alice] .next:not([hidden])');
    // Not with a pointer, which would have to be faster than the countdown.
    const state = await visit.page.evaluate(async () => {
      const panel = document.querySelector('[data-user=alice]');
      panel.querySelector('.now').click();
      for (let turn = 0; turn < 20; turn++) await null; // the event comes in a microtask: before any answer from the network
      return panel.dataset.state;
    });
    assert.equal(state, 'connecting');
    await visit.reopened('alice', 2);
  });

  visiting('a silenced link is noticed, what went into it is in doubt, and can be sent again', async (visit) => {
    const said = visit.sayWhen('#log [data-links="1"]', 'alice', ['into the void']);
    await visit.breaks(['alice'], () => visit.press('[data-user=alice] [data-action=silence]'));
    assert.equal((await said).state, 'open', 'nobody had closed anything');
    await visit.waitFor('[data-user=alice] .sent [data-status=in-doubt]');
    await visit.waitFor('#log [data-who=Alice][data-event=undelivered]:has-text("1 message in doubt")');
    assert.deepEqual(await visit.heard('bob'), []);
    await visit.press('[data-user=alice] .again');
    await visit.hears('bob', ['into the void']);
  });

  visiting('a burst each way through a reset: every message is accounted for', async (visit) => {
    await visit.breaks(['alice'], async () => {
      await visit.press('#burst-both');
      await visit.page.waitForFunction(() => Number(document.querySelector('[data-score=arrived][data-column="0"]').textContent) >= 10);
      await visit.press('[data-user=alice] [data-action=kill]');
    });
    await visit.page.waitForFunction(() => [0, 1].every((column) => document.querySelector(`[data-score=sent][data-column="${column}"]`).textContent === '100'));
    await visit.decided();
    for (const column of [0, 1]) {
      const { sent, arrived, doubt, doubtArrived, missed, ...rest } = await visit.scores(column);
      assert.equal(arrived + doubt + doubtArrived + missed, sent);
      assert.deepEqual(rest, { waiting: 0, underway: 0, unsent: 0, again: 0, disorder: 0 });
    }
    assert.match(await visit.page.textContent('#verdict'), /Every message is accounted for/);
    await visit.photograph('demo-burst');
  });

  visiting('disconnect and connect: what was refused in between is said, and can be sent', async (visit) => {
    await visit.press('[data-user=alice] .toggle');
    await visit.waitFor('[data-user=alice][data-state=closed]');
    await visit.say('alice', 'too late');
    await visit.waitFor('[data-user=alice] [data-status=unsent]');
    await visit.press('[data-user=alice] .toggle');
    await visit.waitFor('[data-user=alice][data-state=open]');
    await visit.press('[data-user=alice] .again');
    await visit.hears('bob', ['too late']);
  });

  visiting('the score and the log start again', async (visit) => {
    await visit.say('alice', 'one');
    await visit.hears('bob', ['one']);
    await visit.press('#score-reset');
    await visit.press('#log-clear');
    await visit.page.waitForFunction(() => document.querySelector('#verdict').textContent === 'Nothing sent yet.');
    assert.equal(await visit.page.locator('#log li').count(), 0);
    await visit.say('alice', 'two');
    await visit.hears('bob', ['one', 'two']);
    assert.equal((await visit.scores(0)).arrived, 1);
  });

  for (const [name, options] of Object.entries({
    'demo-light': { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
    'demo-dark': { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
    'demo-phone': { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true },
  })) {
    visiting(`${name}: nothing sticks out, and a picture`, async (visit) => {
      await visit.say('alice', 'Hello Bob, can you hear me?');
      await visit.say('bob', 'Loud and clear.');
      await visit.waitFor('[data-user=alice] .sent [data-status=settled]');
      const asked = visit.sayWhen('#log [data-links="1"]', 'alice', ['Is anybody there?']);
      await visit.press('[data-user=alice] [data-action=silence]');
      await asked;
      await visit.waitFor('[data-user=alice] .sent [data-status=in-doubt]');
      await visit.reopened('alice', 1);
      const written = visit.sayWhen('[data-user=bob][data-state=waiting]', 'bob', ['I write this while I am cut off,', 'and it will leave in order.']);
      await visit.press('[data-user=bob] [data-action=refuse]');
      await written;
      await visit.photograph(name);
      const overflow = await visit.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
    }, options);
  }

  visiting('the keyboard reaches every control, and the focus shows', async (visit) => {
    const wanted = await visit.page.locator('button:visible, input:visible').count();
    const reached = new Set();
    for (let step = 0; step < wanted + 10; step++) {
      await visit.page.keyboard.press('Tab');
      const found = await visit.page.evaluate(() => {
        const node = document.activeElement;
        const controls = [...document.querySelectorAll('button, input')];
        return { index: controls.indexOf(node), name: node.tagName, outline: getComputedStyle(node).outlineStyle };
      });
      if (found.name === 'BODY') continue;
      assert.notEqual(found.outline, 'none', `${found.name} shows no focus`);
      if (found.index >= 0) reached.add(found.index);
    }
    assert.equal(reached.size, wanted);
  });
});

describe('the server', () => {
  test('serves the page under a strict policy, and only what is the page', async () => {
    const page = await ask('/');
    assert.equal(page.status, 200);
    assert.match(page.headers['content-security-policy'], /default-src 'self'; script-src 'self' 'wasm-unsafe-eval';.*require-trusted-types-for 'script'/);
    assert.equal((await ask('/pkg/index.js')).headers['content-type'], 'text/javascript; charset=utf-8');
    assert.equal((await ask('/pkg/everwire.wasm')).headers['content-type'], 'application/wasm');
    for (const path of ['/server.mjs', '/README.md', '/test/demo.test.mjs', '/../Cargo.toml', '/%2e%2e/Cargo.toml', '/pkg/../Cargo.toml', '/pkg/..%2f..%2fetc/passwd', '/pkg/', '/.env', '/a%00.js']) {
      assert.equal((await ask(path)).status, 404, path);
    }
    assert.equal((await ask('/%')).status, 400);
    assert.equal((await ask('/', { method: 'DELETE' })).status, 405);
    assert.equal((await ask('/', { headers: { Host: 'elsewhere.example' } })).status, 421);
  });

  test('takes orders from its own page only', async () => {
    const own = new URL(demo.url).origin;
    const order = (headers, path = '/control/kill?room=r', method = 'POST') => ask(path, { method, headers });
    assert.equal((await order({ Origin: own })).status, 200);
    assert.equal((await order({})).status, 403);
    assert.equal((await order({ Origin: 'http://elsewhere.example' })).status, 403);
    assert.equal((await order({ Origin: own }, '/control/kill?room=r', 'GET')).status, 405);
    assert.equal((await order({ Origin: own }, '/control/nonsense?room=r')).status, 404);
    assert.equal((await order({ Origin: own }, '/control/kill')).status, 400);
    assert.equal((await order({ Origin: own }, '/control/refuse?room=r&seconds=3600')).status, 400);
  });

  test('lets no foreign page into the chat', async () => {
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
    assert.equal((await ask('/chat?room=r&user=eve', { headers: { ...upgrade, Origin: 'http://elsewhere.example' } })).status, 404);
    assert.equal((await ask('/elsewhere', { headers: upgrade })).status, 404);
    assert.equal((await ask('/chat?room=r', { headers: upgrade })).status, 400);
  });
});

/** A request with the path exactly as written, which `fetch` would tidy up. */
function ask(path, { method = 'GET', headers = {} } = {}) {
  const { hostname, port } = new URL(demo.url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, method, headers, agent: false }, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode, headers: response.headers }));
    });
    request.on('error', reject).end();
  });
}

/** A test on a page of its own, in whose console and log there must be no complaint. A failure shows the page's log. */
function visiting(name, run, options) {
  test(name, { timeout: 4 * PATIENCE_MS }, async (context) => {
    const visit = await arrive(options);
    try {
      await run(visit);
      assert.deepEqual(await visit.complaints(), []);
    } catch (error) {
      const lines = await visit.page.locator('#log li').evaluateAll((all) => all.map((line) => [...line.children].map((part) => part.textContent).join(' ')));
      for (const line of lines) context.diagnostic(line);
      throw error;
    } finally {
      await visit.page.context().close();
    }
  });
}

/** Opens the page, waits until both users are open, and watches the console. */
async function arrive(options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !NETWORK_NOISE.test(message.text())) complaints.push(message.text());
  });
  await page.exposeFunction('reportViolation', (text) => complaints.push(`policy: ${text}`));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => window.reportViolation(`${violatedDirective} ${blockedURI}`));
  });

  const panel = (user) => `[data-user=${user}]`;
  const lines = (user, event) => `#log [data-who=${user === 'alice' ? 'Alice' : 'Bob'}][data-event=${event}]`;
  const visit = {
    page,
    press: (selector) => page.click(selector),
    waitFor: (selector) => page.locator(selector).first().waitFor(),
    photograph: (name) => page.screenshot({ path: `${OUT}${name}.png`, fullPage: true }),

    async say(user, text) {
      await page.fill(`${panel(user)} input`, text);
      await page.press(`${panel(user)} input`, 'Enter');
    },

    /** Sends `texts` in the very turn in which `selector` matches: no hand and no script outside of the page is that quick. */
    sayWhen: (selector, user, texts) =>
      page.evaluate(
        ([selector, panelSelector, texts]) =>
          new Promise((resolve) => {
            const panel = document.querySelector(panelSelector);
            const observer = new MutationObserver(() => {
              if (!document.querySelector(selector)) return;
              observer.disconnect();
              const { state } = panel.dataset;
              for (const text of texts) {
                panel.querySelector('input').value = text;
                panel.querySelector('form').requestSubmit();
              }
              const marks = panel.querySelectorAll('[data-status=waiting]').length;
              resolve({ state, queued: panel.querySelector('.queued').textContent, marks });
            });
            observer.observe(document.body, { subtree: true, childList: true, attributes: true });
          }),
        [selector, panel(user), texts],
      ),

    heard: (user) => page.locator(`${panel(user)} .received p`).allTextContents(),

    /** Waits until `user` has received as many messages as there are `texts`, and checks them, their order included. */
    async hears(user, texts) {
      await page.locator(`${panel(user)} .received`).nth(texts.length - 1).waitFor();
      assert.deepEqual(await visit.heard(user), texts);
      assert.equal(await page.locator(`${panel(user)} .received:not([data-times="1"])`).count(), 0, 'nothing came twice');
    },

    linkOf: async (user) => Number(await page.textContent(`${panel(user)} .link`)),

    /** Waits until `user` is open on a link after number `link`. */
    reopened: (user, link) =>
      page.waitForFunction(
        ([selector, old]) => {
          const node = document.querySelector(selector);
          return node.dataset.state === 'open' && Number(node.querySelector('.link').textContent) > old;
        },
        [panel(user), link],
      ),

    /** `act` must end the open link of each of `users`, and each must come back on a later one. `away` runs in between. */
    async breaks(users, act, away) {
      const links = await Promise.all(users.map(visit.linkOf));
      const closed = await Promise.all(users.map((user) => page.locator(lines(user, 'close')).count()));
      await act();
      for (const [index, user] of users.entries()) await page.locator(lines(user, 'close')).nth(closed[index]).waitFor();
      await away?.();
      for (const [index, user] of users.entries()) await visit.reopened(user, links[index]);
    },

    /** Waits until no message is waiting or on its way. */
    decided: () => page.waitForFunction(() => ['good', 'bad'].includes(document.querySelector('#verdict').dataset.verdict)),

    scores: (column) =>
      page.evaluate((wanted) => Object.fromEntries([...document.querySelectorAll(`[data-score][data-column="${wanted}"]`)].map((cell) => [cell.dataset.score, Number(cell.textContent)])), column),

    /** What the console, the policy and the wires complained about. */
    complaints: async () => [...complaints, ...(await page.locator('#log :is([data-event=error], [data-event=csp])').allTextContents())],
  };
  await page.goto(demo.url);
  for (const user of ['alice', 'bob']) await visit.waitFor(`${panel(user)}[data-state=open]`);
  return visit;
}
