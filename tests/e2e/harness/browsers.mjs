// Chromium, Firefox and WebKit behind one interface: `{ version, site, page({ hear, url }), close() }`, and of a page
// `{ goto(url), evaluate(steps, argument), setOffline(off), problems(), close(), pid }`. `hear` is called with all that the page says by
// `window.tell(message)` until it goes elsewhere. `pid` is the process id of its browser; `family` of `programs.mjs` has the others. `setOffline` is the browser's own switch and missing
// where its driver has none. `start({ ignoreDefaultArgs })` leaves out flags that Playwright gives Chromium.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLab } from './browser.mjs';
import { listen } from './channel.mjs';
import * as firefox from './firefox.mjs';
import { startSite } from './site.mjs';
import * as webkit from './webkit.mjs';

const all = [
  { name: 'Chromium', missing: false, start: startChromium },
  { name: 'Firefox', missing: firefox.missing, start: () => startDriven(firefox) },
  { name: 'WebKit', missing: webkit.missing, start: () => startDriven(webkit) },
];

/** Those that `BROWSERS` names (`chromium,webkit`), or all. */
export const browsers = all.filter(({ name }) => !process.env.BROWSERS || named(process.env.BROWSERS).includes(name.toLowerCase()));

/** Calls `register(browser)` for each that is here. Whoever works without one is told; CI is not to pass without one. */
export function inEachBrowser(register) {
  for (const browser of browsers) {
    if (!browser.missing) register(browser);
    else test(browser.name, { skip: process.env.CI ? false : browser.missing }, () => assert.fail(browser.missing));
  }
}

function named(list) {
  return list.split(',').map((name) => name.trim().toLowerCase());
}

async function startChromium(options) {
  const lab = await startLab(options);
  const cdp = await lab.browser.newBrowserCDPSession();
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
  const pid = processInfo.find(({ type }) => type === 'browser').id;
  return {
    version: lab.browser.version(),
    site: lab.site,
    page: telling(lab.site, async (url) => {
      const page = await lab.page({ url });
      return {
        pid,
        goto: (url) => page.goto(url),
        evaluate: (steps, argument) => page.evaluate(steps, argument),
        problems: async () => page.problems,
        setOffline: (off) => page.context().setOffline(off),
        close: () => page.context().close(),
        /** Ends the service workers of the page, as the browser does when they have nothing to do. In Chromium alone. */
        async stopServiceWorkers() {
          const cdp = await page.context().newCDPSession(page);
          await cdp.send('ServiceWorker.enable');
          await cdp.send('ServiceWorker.stopAllWorkers');
        },
      };
    }),
    close: lab.close,
  };
}

async function startDriven({ start }) {
  const site = await startSite();
  const browser = await start();
  return {
    version: browser.version,
    site,
    page: telling(site, browser.page),
    async close() {
      await browser.close();
      await site.close();
    },
  };
}

/** Pages that can tell their test something. */
function telling(site, open) {
  return async ({ hear, url = `${site.origin}/` } = {}) => {
    const page = await open(url);
    if (!hear) return page;
    const channel = site.channel(hear);
    await page.evaluate(listen, channel.url);
    return {
      ...page,
      async close() {
        channel.close();
        await page.close();
      },
    };
  };
}
