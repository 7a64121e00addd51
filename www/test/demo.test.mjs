// Presses every button of the demo in Chromium, with the built package, and reads what the page says about it. Best effort;
// exactly once is in session.test.mjs.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { demoForAll, visiting } from './visit.mjs';

const running = demoForAll();

// They mostly wait, each in a room of its own.
describe('the page', { concurrency: 4 }, () => {
  visiting(running, 'both users open, messages cross, and are settled', async (visit) => {
    assert.match(await visit.page.textContent('#loaded'), /\/pkg\/\S+ · \d+\.\d KiB gzip/);
    await visit.say('alice', 'Hello Bob, can you hear me?');
    await visit.say('bob', 'Loud and clear.');
    await visit.hears('bob', ['Hello Bob, can you hear me?']);
    await visit.hears('alice', ['Loud and clear.']);
    for (const user of ['alice', 'bob']) await visit.waitFor(`[data-user=${user}] .sent [data-status=settled]`);
  });

  for (const action of ['kill', 'refuse', 'close']) {
    for (const user of ['alice', 'bob']) {
      visiting(running, `${action} breaks the link of ${user}, and it comes back`, async (visit) => {
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
    visiting(running, `${action} for both breaks both, and both come back`, async (visit) => {
      await visit.breaks(['alice', 'bob'], () => visit.press(`.everyone [data-action=${action}]`));
      await visit.say('alice', 'back');
      await visit.hears('bob', ['back']);
    });
  }

  visiting(running, 'what is written while refused waits, and leaves in order, once', async (visit) => {
    const texts = Array.from({ length: 30 }, (_, n) => `line ${n + 1}`);
    const said = visit.sayWhen('[data-user=alice][data-state=waiting]', 'alice', texts);
    await visit.breaks(['alice'], () => visit.press('[data-user=alice] [data-action=refuse]'));
    assert.deepEqual(await said, { state: 'waiting', queued: '30', marks: 30 });
    await visit.hears('bob', texts);
    await visit.decided();
    assert.deepEqual(await visit.scores(0), { sent: 30, stored: 0, received: 30, lost: 0, again: 0, disorder: 0, waiting: 0, underway: 0, doubtArrived: 0, doubt: 0, missed: 0, unsent: 0 });
  });

  visiting(running, 'the countdown runs, and "Now" dials at once', async (visit) => {
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

  visiting(running, 'a silenced link is noticed, what went into it is in doubt, and can be sent again', async (visit) => {
    const said = visit.sayWhen('#log [data-links="1"]', 'alice', ['into the void']);
    await visit.breaks(['alice'], () => visit.press('[data-user=alice] [data-action=silence]'));
    assert.equal((await said).state, 'open', 'nobody had closed anything');
    await visit.waitFor('[data-user=alice] .sent [data-status=in-doubt]');
    await visit.waitFor('#log [data-who=Alice][data-event=undelivered]:has-text("1 message in doubt")');
    assert.deepEqual(await visit.heard('bob'), []);
    await visit.press('[data-user=alice] .again');
    await visit.hears('bob', ['into the void']);
  });

  visiting(running, 'a burst each way through a reset: every message is accounted for', async (visit) => {
    await visit.breaks(['alice'], async () => {
      await visit.press('#burst-both');
      await visit.counted('received', 100);
      await visit.press('[data-user=alice] [data-action=kill]');
    });
    await visit.counted('sent', 1200);
    await visit.decided();
    for (const column of [0, 1]) {
      const { sent, received, lost, doubt, doubtArrived, missed, ...rest } = await visit.scores(column);
      assert.equal(sent, 1200);
      assert.equal(received + lost, sent);
      assert.equal(lost, doubt + missed);
      assert.ok(doubtArrived <= received);
      assert.deepEqual(rest, { stored: 0, again: 0, disorder: 0, waiting: 0, underway: 0, unsent: 0 });
    }
    assert.match(await visit.page.textContent('#verdict'), /Every message is accounted for/);
    await visit.photograph('demo-burst');
  });

  visiting(running, 'disconnect and connect: what was refused in between is said, and can be sent', async (visit) => {
    await visit.press('[data-user=alice] .toggle');
    await visit.waitFor('[data-user=alice][data-state=closed]');
    await visit.say('alice', 'too late');
    await visit.waitFor('[data-user=alice] [data-status=unsent]');
    await visit.press('[data-user=alice] .toggle');
    await visit.waitFor('[data-user=alice][data-state=open]');
    await visit.press('[data-user=alice] .again');
    await visit.hears('bob', ['too late']);
  });

  visiting(running, 'the score and the log start again', async (visit) => {
    await visit.say('alice', 'one');
    await visit.hears('bob', ['one']);
    await visit.press('#score-reset');
    await visit.press('#log-clear');
    await visit.page.waitForFunction(() => document.querySelector('#verdict').textContent === 'Nothing sent yet.');
    assert.equal(await visit.page.locator('#log li').count(), 0);
    await visit.say('alice', 'two');
    await visit.hears('bob', ['one', 'two']);
    assert.equal((await visit.scores(0)).received, 1);
  });

  for (const [name, options] of Object.entries({
    'demo-light': { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
    'demo-dark': { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
    'demo-phone': { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true },
  })) {
    visiting(running, `${name}: nothing sticks out, and a picture`, async (visit) => {
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

  visiting(running, 'the keyboard reaches every control, and the focus shows', async (visit) => {
    // Of radio buttons the keyboard reaches the one that is chosen, and goes on from there with the arrows.
    const wanted = await visit.page.locator('button:visible, input:is(:not([type=radio]), :checked):visible').count();
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
