// Chromium and Firefox behind one interface: `{ version, site, page({ hear }), close() }`, and of a page
// `{ evaluate(steps, argument), problems(), close() }`. `hear` is called with all that the page says by `window.tell(message)`.
import { startLab } from './browser.mjs';
import { listen } from './channel.mjs';
import * as firefox from './firefox.mjs';
import { startSite } from './site.mjs';

export const browsers = [
  { name: 'Chromium', missing: false, start: startChromium },
  { name: 'Firefox', missing: firefox.missing, start: startFirefox },
];

async function startChromium() {
  const lab = await startLab();
  return {
    version: lab.browser.version(),
    site: lab.site,
    page: telling(lab.site, async () => {
      const page = await lab.page();
      return {
        evaluate: (steps, argument) => page.evaluate(steps, argument),
        problems: async () => page.problems,
        close: () => page.context().close(),
      };
    }),
    close: lab.close,
  };
}

async function startFirefox() {
  const site = await startSite();
  const browser = await firefox.start();
  return {
    version: browser.version,
    site,
    page: telling(site, () => browser.page(`${site.origin}/`)),
    async close() {
      await browser.close();
      await site.close();
    },
  };
}

/** Pages that can tell their test something. */
function telling(site, open) {
  return async ({ hear }) => {
    const page = await open();
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
