// A visit to the demo page in Chromium: what a test can do there, and what it reads.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { start } from '../server.mjs';

const OUT = fileURLToPath(new URL('../../tests/e2e/out/', import.meta.url));
/** Nobody waits that long: it only ends a test that hangs. */
const PATIENCE_MS = 60_000;
/** What a broken connection may write to the console by itself. */
const NETWORK_NOISE = /^WebSocket connection to '.*' failed|^Failed to load resource: net::ERR_/;

/** Starts the demo (with `options`) and the browser before the tests of a file, and ends both after them. */
export function demoForAll(options) {
  const running = { demo: null, browser: null };
  before(async () => {
    await mkdir(OUT, { recursive: true });
    running.demo = await start(options);
    const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
    running.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
  });
  after(async () => {
    await running.browser?.close();
    await running.demo?.close();
  });
  return running;
}

/**
 * A test on a page of its own, in whose console and log there must be no complaint. A failure shows the page's log. `options`
 * are those of the browser's context, and `delivery`.
 */
export function visiting(running, name, run, options) {
  test(name, { timeout: 4 * PATIENCE_MS }, async (context) => {
    const visit = await arrive(running, options);
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
async function arrive({ demo, browser }, { delivery = 'best-effort', ...options } = {}) {
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
      page.evaluate((wanted) => Object.fromEntries([...document.querySelectorAll(`[data-score][data-column="${wanted}"]`)].map(({ dataset }) => [dataset.score, Number(dataset.count)])), column),

    /** Waits until the scoreboard shows at least `count` in the row `key` of both directions. */
    counted: (key, count) =>
      page.waitForFunction(([key, count]) => [...document.querySelectorAll(`[data-score=${key}]`)].every(({ dataset }) => Number(dataset.count) >= count), [key, count]),

    /** Makes the choice at the top of the page, and waits until both users are open again. */
    async choose(delivery) {
      await page.check(`[name=delivery][value=${delivery}]`);
      await visit.bothOpen(delivery);
    },

    async bothOpen(delivery) {
      for (const user of ['alice', 'bob']) await visit.waitFor(`body[data-delivery=${delivery}] ${panel(user)}[data-state=open]`);
    },

    /** What the console, the policy and the wires complained about. */
    complaints: async () => [...complaints, ...(await page.locator('#log :is([data-event=error], [data-event=csp])').allTextContents())],
  };
  await page.goto(delivery === 'best-effort' ? demo.url : `${demo.url}#${delivery}`);
  await visit.bothOpen(delivery);
  return visit;
}
