// Exactly once on the demo page: everwire-server behind lines that break, and kill -9. EVERWIRE_SERVER names the server.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { askOf, upgrade } from './ask.mjs';
import { demoForAll, visiting as visitingIn } from './visit.mjs';

const program = process.env.EVERWIRE_SERVER;
const skip = program ? false : 'EVERWIRE_SERVER names no everwire-server';
/** What the burst button sends each way. */
const BURST = 1200;

if (skip) test('exactly once', { skip });
else {
  const running = demoForAll({ program });
  const visiting = (name, run, options) => visitingIn(running, name, run, { delivery: 'exactly-once', ...options });

  /** The scoreboard of a direction in which everything has arrived once and in order. */
  const perfect = (sent) => ({ sent, stored: sent, received: sent, lost: 0, again: 0, disorder: 0, waiting: 0, underway: 0, doubt: 0, unsent: 0 });

  /** Waits until the books are closed on `sent` messages of each user, and finds nothing wrong in them. */
  const isPerfect = async (visit, ...sent) => {
    await visit.decided();
    for (const [column, count] of sent.entries()) assert.deepEqual(await visit.scores(column), perfect(count), `column ${column}`);
    const all = sent.reduce((sum, count) => sum + count, 0).toLocaleString('en');
    assert.equal(await visit.page.textContent('#verdict'), `${all} sent = ${all} stored and received. 0 lost, 0 duplicated, 0 out of order.`);
  };

  describe('the way to the server', () => {
    test('is open to our own page, and to whoever is no page', async () => {
      const ask = askOf(running.demo);
      const own = new URL(running.demo.url).origin;
      const headers = { ...upgrade, 'Sec-WebSocket-Protocol': 'everwire.v1' };
      assert.equal((await ask('/session?room=r&user=eve', { headers: { ...headers, Origin: own } })).status, 101);
      assert.equal((await ask('/session?room=r&user=eve', { headers })).status, 101);
      assert.equal((await ask('/session?room=r&user=eve', { headers: { ...headers, Origin: 'http://elsewhere.example' } })).status, 404);
      await assert.rejects(ask('/session?room=r', { headers }), { code: 'ECONNRESET' });
      assert.deepEqual(JSON.parse((await ask('/deliveries.json')).text), ['best-effort', 'exactly-once']);
    });

    test('is closed to orders that are none', async () => {
      const order = (path) => askOf(running.demo)(path, { method: 'POST', headers: { Origin: new URL(running.demo.url).origin } });
      assert.equal((await order('/control/kill?room=r&delivery=exactly-once')).status, 200);
      assert.equal((await order('/control/close?room=r&delivery=exactly-once')).status, 404, 'a cable cannot be polite');
      assert.equal((await order('/control/crash?room=r&delivery=best-effort')).status, 404);
    });
  });

  // One after the other: they share the server that they kill.
  describe('exactly once', () => {
    visiting('the switch: there, back, and there again, each time from zero', async (visit) => {
      const isShown = (selector) => visit.page.locator(selector).first().isVisible();
      for (const delivery of ['exactly-once', 'best-effort', 'exactly-once']) {
        await visit.choose(delivery);
        assert.equal(await visit.page.isChecked(`[name=delivery][value=${delivery}]`), true);
        assert.equal(new URL(visit.page.url()).hash, delivery === 'best-effort' ? '' : `#${delivery}`);
        assert.equal(await isShown('[data-action=crash]'), delivery === 'exactly-once');
        assert.equal(await isShown('[data-user=alice] [data-action=close]'), delivery === 'best-effort');
        await visit.say('alice', `hello, ${delivery}`);
        await visit.say('bob', `and you, ${delivery}`);
        await visit.hears('bob', [`hello, ${delivery}`]);
        await visit.hears('alice', [`and you, ${delivery}`]);
        await visit.waitFor(`[data-user=alice] .sent [data-status=${delivery === 'exactly-once' ? 'stored' : 'settled'}]`);
      }
      await isPerfect(visit, 1, 1);
      assert.match(await visit.page.textContent('#loaded'), /\/pkg\/index\.js \+ \/pkg\/exactly-once\.js/);
    }, { delivery: 'best-effort' });

    visiting('who wants best effort loads nothing of it', async (visit) => {
      assert.doesNotMatch(await visit.page.textContent('#loaded'), /exactly-once/);
    }, { delivery: 'best-effort' });

    visiting('the arrow keys choose', async (visit) => {
      await visit.page.focus('[name=delivery][value=exactly-once]');
      await visit.page.keyboard.press('ArrowUp');
      await visit.bothOpen('best-effort');
      await visit.page.keyboard.press('ArrowDown');
      await visit.bothOpen('exactly-once');
    });

    for (const action of ['kill', 'silence', 'refuse']) {
      for (const user of ['alice', 'bob']) {
        visiting(`${action} on the line of ${user}: all arrives, and the other line is not touched`, async (visit) => {
          const peer = user === 'alice' ? 'bob' : 'alice';
          const texts = [1, 2, 3, 4, 5].map((n) => `line ${n}`);
          await visit.say(user, 'before');
          await visit.hears(peer, ['before']);
          await visit.breaks([user], async () => {
            await visit.press(`[data-user=${user}] [data-action=${action}]`);
            await visit.waitFor('#log [data-links="1"]');
            for (const text of texts) {
              await visit.say(user, text);
              await visit.say(peer, text);
            }
          });
          await visit.hears(peer, ['before', ...texts]);
          await visit.hears(user, texts);
          await isPerfect(visit, ...(user === 'alice' ? [6, 5] : [5, 6]));
          assert.equal(await visit.linkOf(peer), 1);
        });
      }
    }

    for (const action of ['kill', 'refuse', 'restart', 'crash']) {
      visiting(`${action} for both, in the middle of what they say`, async (visit) => {
        const texts = [1, 2, 3, 4, 5].map((n) => `line ${n}`);
        await visit.breaks(['alice', 'bob'], () => visit.press(`.everyone [data-action=${action}]`), async () => {
          for (const text of texts) {
            await visit.say('alice', text);
            await visit.say('bob', text);
          }
        });
        for (const user of ['alice', 'bob']) await visit.hears(user, texts);
        await isPerfect(visit, 5, 5);
      });
    }

    visiting('a wire that is closed and another one: the history has what came in between', async (visit) => {
      await visit.say('alice', 'one');
      await visit.hears('bob', ['one']);
      await visit.press('[data-user=bob] .toggle');
      await visit.waitFor('[data-user=bob][data-state=closed]');
      await visit.say('alice', 'two');
      await visit.say('alice', 'three');
      await visit.page.waitForFunction(() => document.querySelector('[data-score=stored]').dataset.count === '3');
      assert.equal((await visit.scores(0)).underway, 2);
      await visit.press('[data-user=bob] .toggle');
      await visit.hears('bob', ['one', 'two', 'three']);
      await visit.say('bob', 'thanks');
      await visit.hears('alice', ['thanks']);
      await isPerfect(visit, 3, 1);
    });

    visiting('the score starts again, and what comes late is nobody\'s', async (visit) => {
      await visit.say('alice', 'one');
      await isPerfect(visit, 1, 0);
      await visit.press('#score-reset');
      await visit.page.waitForFunction(() => document.querySelector('#verdict').textContent === 'Nothing sent yet.');
      await visit.say('alice', 'two');
      await visit.hears('bob', ['one', 'two']);
      await isPerfect(visit, 1, 0);
    });

    for (const [name, options] of Object.entries({
      light: { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
      dark: { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
      phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true },
    })) {
      visiting(`1,200 each way through three resets, an outage and kill -9: nothing lost, doubled or displaced (${name})`, async (visit) => {
        await visit.press('#burst-both');
        for (const enough of [100, 250, 400]) {
          await visit.counted('received', enough);
          await visit.breaks(['alice', 'bob'], () => visit.press('.everyone [data-action=kill]'));
        }
        await visit.breaks(['alice', 'bob'], () => visit.press('.everyone [data-action=refuse]'));
        await visit.counted('received', 500);
        await visit.breaks(['alice', 'bob'], () => visit.press('[data-action=crash]'));
        await visit.counted('sent', BURST);
        await isPerfect(visit, BURST, BURST);
        await visit.photograph(`demo-exactly-once-${name}`);
        const overflow = await visit.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
      }, options);
    }

    visiting('kill -9 in the middle of a burst, three times', async (visit) => {
      await visit.press('#burst-both');
      for (const enough of [50, 400, 800]) {
        await visit.counted('received', enough);
        await visit.breaks(['alice', 'bob'], () => visit.press('[data-action=crash]'));
      }
      await visit.counted('sent', BURST);
      await isPerfect(visit, BURST, BURST);
    });
  });
}
