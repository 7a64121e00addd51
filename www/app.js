// Two users in one room, the buttons that break their links, and the books that are kept about it.
import { DELIVERIES } from './delivery.js';
import { Ledger } from './ledger.js';
import { Log } from './log.js';
import { Score } from './score.js';
import { setText } from './dom.js';
import { User } from './user.js';

const byId = (id) => document.getElementById(id);

const NAMES = ['Alice', 'Bob'];
const REFRESH_MS = 100;
const DEFAULT_DELIVERY = 'best-effort';

const log = new Log(byId('log'));
const score = new Score({
  head: byId('score-head'),
  body: byId('score-body'),
  verdict: byId('verdict'),
  directions: ['Alice → Bob', 'Bob → Alice'],
});
const choice = byId('delivery');

let users = [];
let delivery = null;
/** Of these two users alone: other tabs are other people, and so is who was here before the last choice. */
let room = null;

choice.addEventListener('change', () => begin(choice.elements.delivery.value));
choice.addEventListener('submit', (event) => event.preventDefault());
watchButtons(document.querySelector('.everyone'));
byId('burst-both').addEventListener('click', () => users.forEach((user) => user.burst()));
byId('log-clear').addEventListener('click', () => log.clear());
byId('score-reset').addEventListener('click', () => {
  // The numbers go on: what of the old ones still arrives belongs to nobody.
  for (const user of users) user.ledger = new Ledger({ delivery, sender: user.id, first: user.ledger.next });
  showScore();
});

addEventListener('error', ({ message }) => log.add('Page', 'error', message));
addEventListener('unhandledrejection', ({ reason }) => log.add('Page', 'error', `unhandled: ${reason}`));
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => log.add('Page', 'csp', `${violatedDirective} ${blockedURI}`));
addEventListener('load', showPackage);

const offered = await fetch('deliveries.json').then((response) => response.json());
for (const radio of choice.elements.delivery) {
  radio.disabled = !offered.includes(radio.value);
  if (radio.disabled) radio.setAttribute('aria-describedby', 'no-server');
}
byId('no-server').hidden = offered.includes('exactly-once');
addEventListener('hashchange', () => begin(asked()));
await begin(asked());
byId('notice').hidden = true;
setInterval(() => {
  for (const user of users) user.refresh();
  score.update(); // it counts what is late, too
}, REFRESH_MS);

/** The delivery that the address asks for: `#exactly-once`. */
function asked() {
  const name = location.hash.slice(1);
  return offered.includes(name) ? name : DEFAULT_DELIVERY;
}

/** Starts anew with two users whose messages are delivered this way. */
async function begin(name) {
  if (name === delivery) return;
  delivery = name;
  const open = await DELIVERIES[name]();
  if (name !== delivery) return; // another choice while this one was loading

  for (const user of users) user.leave();
  room = crypto.randomUUID();
  users = NAMES.map((own, index) => {
    const other = 1 - index;
    return new User({
      name: own,
      peer: NAMES[other],
      room,
      log,
      delivery,
      open,
      ledger: new Ledger({ delivery, sender: own.toLowerCase() }),
      received: (message) => receive(users[other], message),
      changed: () => score.update(),
    });
  });
  byId('users').replaceChildren(...users.map((user) => user.panel));
  for (const user of users) {
    watchButtons(user.panel, user);
    user.connect();
  }
  document.body.dataset.delivery = delivery;
  choice.elements.delivery.value = delivery;
  for (const part of document.querySelectorAll('[data-for]')) part.hidden = part.dataset.for !== delivery;
  history.replaceState(null, '', delivery === DEFAULT_DELIVERY ? location.pathname : `#${delivery}`);
  log.add('You', 'delivery', name);
  showScore();
  showPackage();
}

/** A message of `sender` has reached the far end, whose handler looks it up in the sender's book. */
function receive(sender, { id, sender: stamp }) {
  // In exactly-once the server stamps who sent it.
  if (delivery === 'exactly-once' && !sender.identities.has(stamp)) log.add('Page', 'error', `message ${id} from a stranger, ${stamp}`);
  sender.ledger.arrived(id);
}

function showScore() {
  const counters = users.map((user, index) => () => user.ledger.counts(users[1 - index].presentSince));
  score.show(counters, delivery);
}

/** Buttons with `data-action` ask the server to break something: `user`'s link, or everybody's. */
function watchButtons(container, user) {
  container.addEventListener('click', async ({ target }) => {
    const button = target.closest('button[data-action]');
    if (!button) return;
    const { action, seconds, label } = button.dataset;
    const query = new URLSearchParams({ delivery, room, ...(user && { user: user.id }), ...(seconds && { seconds }) });
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
