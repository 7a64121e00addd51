// The harness itself: what the other files rely on holds in every browser.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { readlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inEachBrowser } from './harness/browsers.mjs';
import { family } from './harness/programs.mjs';
import { until } from './harness/wait.mjs';

inEachBrowser((browser) => {
  describe(browser.name, () => {
    let lab;
    before(async () => (lab = await browser.start()));
    after(() => lab?.close());

    test('a page computes, waits, fails and is looked through', async () => {
      const page = await lab.page();
      assert.equal(await page.evaluate(() => location.href), `${lab.site.origin}/`);
      assert.deepEqual(await page.evaluate(async ({ a }) => ({ sum: await Promise.resolve(a + 1) }), { a: 1 }), { sum: 2 });
      await assert.rejects(page.evaluate(() => Promise.reject(new Error('mine'))), /mine/);
      assert.deepEqual(await page.problems(), []);
      await page.evaluate(() => new Promise((resolve) => {
        window.addEventListener('error', () => resolve());
        setTimeout(() => { throw new Error('nobody caught it'); });
      }));
      assert.match((await page.problems()).join(), /nobody caught it/);
      await page.close();
    });

    test('two pages tell their test something, and go on side by side', async () => {
      const heard = Object.assign(new EventEmitter(), { a: 0, b: 0 });
      const hear = (name) => (count) => heard.emit('change', (heard[name] = count));
      const pages = await Promise.all(['a', 'b'].map((name) => lab.page({ hear: hear(name) })));
      // Neither waits for the other, so none may be held up for being behind it.
      for (const page of pages) await page.evaluate(() => { let count = 0; setInterval(() => window.tell(++count), 10); });
      await until(heard, 'change', () => heard.a >= 100 && heard.b >= 100, { what: 'a hundred from each' });
      for (const page of pages) await page.close();
    });

    test('a page goes elsewhere, and its browser has a process', async () => {
      const page = await lab.page();
      await page.goto(`${lab.site.origin}/?elsewhere`);
      assert.equal(await page.evaluate(() => location.search), '?elsewhere');
      assert.deepEqual(await page.problems(), []);
      assert.match(path.basename(readlinkSync(`/proc/${page.pid}/exe`)), /chrom|firefox|MiniBrowser/i);
      assert.ok(family(page.pid).length > 1, 'a browser is several processes');
      await page.close();
    });
  });
});
