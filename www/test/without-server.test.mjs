// The page when everwire-server was not started with it.
import assert from 'node:assert/strict';
import { demoForAll, visiting } from './visit.mjs';

const running = demoForAll({ program: null });

visiting(running, 'exactly once is not offered, the page says why, and an address that asks for it gets best effort', async (visit) => {
  assert.equal(await visit.page.isDisabled('[name=delivery][value=exactly-once]'), true);
  assert.match(await visit.page.innerText('#no-server'), /cargo xtask demo/);
  await visit.page.goto(`${running.demo.url}#exactly-once`);
  await visit.page.reload();
  await visit.bothOpen('best-effort');
  await visit.say('alice', 'hello');
  await visit.hears('bob', ['hello']);
});
