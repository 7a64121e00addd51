// What a page may go through, in an order that a seed decides: hidden, frozen, offline, silent, its connection reset, each for a
// while and also together, as they come.
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './wait.mjs';

// How long between two of a kind, and how long each lasts, in milliseconds. Of the silences every other one ends at once: what is
// silent stays so, a new connection works.
const KINDS = {
  hidden: { pause: [500, 4_000], lasts: [300, 5_000] },
  frozen: { pause: [1_000, 6_000], lasts: [300, 4_000] },
  offline: { pause: [1_000, 8_000], lasts: [200, 4_000] },
  silent: { pause: [1_000, 8_000], lasts: [-2_500, 2_500] },
  reset: { pause: [500, 5_000], lasts: [0, 0] },
};
// Only a hang takes that long.
const DEADLINE_MS = 20_000;

/** `{ at, kind, on }` in the order of time, each kind at least once. */
export function planLife(random, duration) {
  let plan;
  // A page that is frozen throughout an outage hears nothing of it.
  do plan = drawPlan(random, duration);
  while (!hearsOutage(plan));
  return plan;
}

function hearsOutage(plan) {
  const is = {};
  return plan.some(({ kind, on }) => {
    is[kind] = on;
    return is.offline && !is.frozen;
  });
}

function drawPlan(random, duration) {
  const draw = ([least, most]) => Math.round(least + random() * (most - least));
  const steps = [];
  for (const [kind, { pause, lasts }] of Object.entries(KINDS)) {
    for (let at = draw(pause); at < duration; at += draw(pause)) {
      steps.push({ at, kind, on: true });
      if (kind === 'reset') continue;
      at += Math.max(0, draw(lasts));
      steps.push({ at, kind, on: false });
    }
  }
  // Stable: what ends at the moment at which it begins does so after it.
  return steps.sort((a, b) => a.at - b.at);
}

/** Runs in the page before anything else: it tells what it is put through. */
export function tellLife() {
  const tell = ({ type }) => window.tell({ what: 'life', saw: type === 'visibilitychange' ? document.visibilityState : type });
  for (const type of ['freeze', 'resume', 'visibilitychange']) document.addEventListener(type, tell);
  for (const type of ['online', 'offline']) window.addEventListener(type, tell);
}

/**
 * A page's life in our hands: `{ heard(message), strike({ kind, on }), restore(), saw }`. `cover` is the other tab of its window. Each
 * step that a page can see is over when the page has seen it, and `saw` counts what that was.
 */
export function lifeOf(tab, cover, proxy) {
  const said = new EventEmitter();
  const saw = { visible: 0, hidden: 0, freeze: 0, resume: 0, offline: 0, online: 0, reset: 0, silent: 0, healed: 0 };
  const wanted = { hidden: false, frozen: false, offline: false, silent: false };
  const is = { hidden: false, frozen: false, offline: false, silent: false };

  async function seen(what, act) {
    const before = saw[what];
    await act();
    await until(said, 'change', () => saw[what] > before, { deadline: DEADLINE_MS, what: `the page to see: ${what}` });
  }

  /** Only what is hidden is frozen, and what is frozen is not shown. */
  async function look() {
    const hide = wanted.hidden || wanted.frozen;
    if (is.frozen && !wanted.frozen) await seen('resume', () => tab.call('Page.setWebLifecycleState', { state: 'active' }));
    if (is.hidden !== hide) await seen(hide ? 'hidden' : 'visible', () => (hide ? cover : tab).front());
    if (!is.frozen && wanted.frozen) await seen('freeze', () => tab.call('Page.setWebLifecycleState', { state: 'frozen' }));
    Object.assign(is, { hidden: hide, frozen: wanted.frozen });
  }

  /** The browser's switch leaves open sockets alone, which a network does not. */
  async function connect() {
    const silent = wanted.silent || wanted.offline;
    if (silent && !is.silent) proxy.silence();
    if (!silent && is.silent) proxy.unsilence();
    is.silent = silent;
    if (is.offline === wanted.offline) return;
    is.offline = wanted.offline;
    const conditions = { offline: is.offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await tab.call('Network.emulateNetworkConditions', conditions);
  }

  async function strike({ kind, on }) {
    if (kind === 'reset') {
      saw.reset += proxy.resetAll();
      return;
    }
    if (kind === 'silent' && wanted.silent !== on) saw[on ? 'silent' : 'healed'] += 1;
    wanted[kind] = on;
    // A frozen page hears of the network when it runs again.
    await (kind === 'hidden' || kind === 'frozen' ? look() : connect());
  }

  return {
    saw,
    heard({ saw: what }) {
      saw[what] += 1;
      said.emit('change');
    },
    strike,
    /** All is well again. */
    async restore() {
      for (const kind of Object.keys(wanted)) await strike({ kind, on: false });
    },
  };
}

/** Carries out a plan; what is late does not put off what comes after it. */
export async function live(plan, life) {
  const began = performance.now();
  for (const step of plan) {
    await sleep(Math.max(0, step.at - (performance.now() - began)));
    await life.strike(step);
  }
  await life.restore();
}
