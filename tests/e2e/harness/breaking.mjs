// What is done to two pages that send to each other. Each fault is a function of `{ ends, server }`, where an end has its
// `page`, its `proxy` and what it has `said`; it resolves, once everything works again, with how many faults there were.
import { setTimeout as sleep } from 'node:timers/promises';
import { planKills, planLink, seeded } from './random.mjs';
import { until } from './wait.mjs';

const RESETS = 12;
const SILENCES = [undefined, ['up'], ['down']];
const OUTAGE_MS = 3_000;
const KILLS = 2;
const LONG_BYTES = 256 * 1024;
const SLOW_RATE = 512 * 1024;
// Only a hang takes that long.
const DEADLINE_MS = 120_000;

/**
 * - `everyMs` between two messages of a page; `count` where it is not the usual one; `long`: every so many are so long
 * - `hurried`: the pages dial at once after a loss, so that many fit into a short time
 * - `kills`: the server is killed
 * - `brief`: belongs to the short selection
 */
export function scenarios({ seed, randomMs }) {
  const everyMs = 12;
  return [
    { title: `${RESETS} resets of each link`, inject: each(resets), everyMs: 5, hurried: true, brief: true },
    { title: 'links silent both ways, then up, then down', inject: each(silences), everyMs: 10, brief: true },
    { title: `an outage of ${OUTAGE_MS / 1_000} s`, inject: each(outage), everyMs: 5 },
    { title: `kill -9 of the server, ${KILLS} times`, inject: kills, everyMs: 5, kills: true, brief: true },
    {
      title: `${SLOW_RATE / 1024} KiB/s, every 100th of ${LONG_BYTES / 1024} KiB`,
      inject: each(cutOnce), everyMs: 5, bytesPerSecond: SLOW_RATE, long: { every: 100, bytes: LONG_BYTES },
    },
    {
      title: `all at random for ${randomMs / 1_000} s, seed ${seed}`,
      inject: (world) => atRandom(world, seed, randomMs),
      everyMs, count: Math.round(randomMs / everyMs), long: { every: 250, bytes: LONG_BYTES },
    },
  ];
}

const each = (inject) => async ({ ends }) => sum(await Promise.all(ends.map(inject)));
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

function heard({ said }, condition, what) {
  return until(said, 'change', condition, { deadline: DEADLINE_MS, what });
}

async function resets(end) {
  const { proxy, said } = end;
  for (let done = 0; done < RESETS; done++) {
    const { received } = said;
    // Each link carries another number of messages, so that the resets do not fall on one beat.
    await heard(end, () => said.opens > done && said.received > received + 10 + ((done * 7) % 16), `link ${done + 1} to carry something`);
    proxy.resetAll();
  }
  return RESETS;
}

async function silences(end) {
  const { proxy, said } = end;
  for (const [done, ways] of SILENCES.entries()) {
    const { received } = said;
    await heard(end, () => said.opens > done && said.received > received + 100, `link ${done + 1} to carry something`);
    proxy.silence({ ways });
    proxy.unsilence();
    await heard(end, () => said.closes > done, `the silence ${ways ?? 'both ways'} to be noticed`);
  }
  return SILENCES.length;
}

async function outage(end) {
  await heard(end, () => end.said.received >= 300, 'the first 300 messages');
  await end.proxy.down();
  // The outage itself is a duration, not an event.
  await sleep(OUTAGE_MS);
  await end.proxy.up();
  return 1;
}

async function cutOnce(end) {
  await heard(end, () => end.said.received >= 300, 'the first 300 messages');
  end.proxy.resetAll();
  return 1;
}

async function kills({ ends, server }) {
  for (let done = 0; done < KILLS; done++) {
    const before = ends.map(({ said }) => said.received);
    await Promise.all(ends.map((end, i) => heard(end, () => end.said.opens > done && end.said.received > before[i] + 300, '300 messages')));
    await server.kill9();
    await server.restart();
  }
  await Promise.all(ends.map((end) => heard(end, () => end.said.opens > KILLS, 'a link to the server that was started last')));
  return KILLS;
}

async function atRandom({ ends, server }, seed, duration) {
  const random = seeded(seed);
  // All is drawn before anything happens.
  const plans = ends.map(() => planLink(random, duration));
  const deaths = server.durable ? planKills(random, duration) : [];
  const breaking = ends.map((end, i) => carryOut(plans[i], (step) => breakLink(end.proxy, step)));
  await Promise.all([...breaking, carryOut(deaths, () => server.kill9(), () => server.restart())]);
  return sum([...plans, deaths].map((steps) => steps.length));
}

async function carryOut(steps, strike, mend = (step, undo) => undo?.()) {
  for (const step of steps) {
    await sleep(step.pause);
    const undo = await strike(step);
    await sleep(step.lasts);
    await mend(step, undo);
  }
}

/** Breaks a link as a step says; what it returns mends it. */
async function breakLink(proxy, { fault, bytesPerSecond, delay }) {
  if (fault === 'reset') {
    proxy.resetAll();
  } else if (fault === 'outage') {
    await proxy.down();
    return () => proxy.up();
  } else if (fault === 'slow') {
    Object.assign(proxy, { bytesPerSecond, delay });
    return () => Object.assign(proxy, { bytesPerSecond: Infinity, delay: 0 });
  } else {
    const [, way] = /^half-open (up|down)$/.exec(fault) ?? [];
    proxy.silence({ stall: fault === 'stall', ways: way && [way] });
    proxy.unsilence();
  }
}
