// Two users in one room, the buttons that break their links, and the books that are kept about it.
import { Ledger } from './ledger.js';
import { Log } from './log.js';
import { Score } from './score.js';
import { setText } from './dom.js';
import { User } from './user.js';

const byId = (id) => document.getElementById(id);

/** One room per page: other tabs are other people. */
const room = crypto.randomUUID();
const NAMES = ['Alice', 'Bob'];
const REFRESH_MS = 100;

const log = new Log(byId('log'));
const score = new Score({
  head: byId('score-head'),
  body: byId('score-body'),
  verdict: byId('verdict'),
  directions: ['Alice → Bob', 'Bob → Alice'],
});

const users = NAMES.map((name, index) => {
  const other = 1 - index;
  return new User({
    name,
    peer: NAMES[other],
    room,
    log,
    ledger: new Ledger(),
    received: (id) => users[other].ledger.arrived(id),
    changed: () => score.update(),
  });
});
score.show(users.map((user) => user.ledger));

byId('users').replaceChildren(...users.map((user) => user.panel));
for (const user of users) {
  watchButtons(user.panel, user);
  user.connect();
}
watchButtons(document.querySelector('.everyone'));
byId('burst-both').addEventListener('click', () => users.forEach((user) => user.burst()));
byId('log-clear').addEventListener('click', () => log.clear());
byId('score-reset').addEventListener('click', () => {
  for (const user of users) user.ledger = new Ledger();
  score.show(users.map((user) => user.ledger));
});
setInterval(() => users.forEach((user) => user.refresh()), REFRESH_MS);
byId('notice').hidden = true;

addEventListener('error', ({ message }) => log.add('Page', 'error', message));
addEventListener('unhandledrejection', ({ reason }) => log.add('Page', 'error', `unhandled: ${reason}`));
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => log.add('Page', 'csp', `${violatedDirective} ${blockedURI}`));
addEventListener('load', showPackage);

/** Buttons with `data-action` ask the server to break something: `user`'s link, or everybody's. */
function watchButtons(container, user) {
  container.addEventListener('click', async ({ target }) => {
    const button = target.closest('button[data-action]');
    if (!button) return;
    const { action, seconds, label } = button.dataset;
    const query = new URLSearchParams({ room, ...(user && { user: user.id }), ...(seconds && { seconds }) });
    const whose = user ? user.name : 'both';
    const outcome = log.add('You', label, whose); // now: what it causes is faster than the answer
    try {
      const response = await fetch(`/control/${action}?${query}`, { method: 'POST' });
      if (!response.ok) throw new Error(await response.text());
      const { links } = await response.json();
      outcome.dataset.links = links;
      setText(outcome, `${whose}: ${links === 0 ? 'no link was up' : links === 1 ? '1 link' : `${links} links`}`);
    } catch (error) {
      setText(outcome, `${whose}: failed, ${error.message}`);
    }
  });
}

/** What was loaded as the package, and what it weighed on its way here. */
async function showPackage() {
  const files = performance.getEntriesByType('resource').filter(({ name }) => /^\/pkg\/.*\.(js|wasm)$/.test(new URL(name).pathname));
  const bytes = files.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
  const about = await fetch('/pkg/package.json').then((response) => (response.ok ? response.json() : {}), () => ({}));
  const name = about.version ? `everwire ${about.version}` : 'everwire';
  setText(byId('loaded'), `${name} · ${files.map(({ name }) => new URL(name).pathname).join(' + ')} · ${(bytes / 1024).toFixed(1)} KiB gzip`);
}
