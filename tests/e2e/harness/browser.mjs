// One Chromium for a test file, one page for a test.
import { chromium } from 'playwright-core';
import { startSite } from './site.mjs';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Several pages run at once; none may be slowed because another one is in front.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];

/** Starts the site and the browser of a test file. `await lab.close()` in `after`. */
export async function startLab({ args = [], ignoreDefaultArgs } = {}) {
  const site = await startSite();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [...ARGS, ...args],
    ignoreDefaultArgs,
  });
  return {
    site,
    browser,
    /**
     * A fresh page in a context of its own, at the blank page of the site. `page.problems` collects uncaught errors and
     * unhandled rejections: a test ends by looking at it.
     */
    async page({ url = `${site.origin}/`, prepare, init } = {}) {
      const context = await browser.newContext();
      const page = await context.newPage();
      page.problems = [];
      page.on('pageerror', (error) => page.problems.push(String(error?.stack ?? error)));
      if (process.env.DEBUG_PAGE) page.on('console', (message) => console.error('page:', message.text()));
      if (prepare) await prepare(page);
      if (init) await page.addInitScript(init);
      await page.goto(url);
      return page;
    },
    async close() {
      await browser.close();
      await site.close();
    },
  };
}
