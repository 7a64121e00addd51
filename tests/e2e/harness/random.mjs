// A sequence of faults that a seed decides, whatever the clocks do: the same seed plans the same sequence.

/** A generator of numbers in [0, 1): mulberry32, which is small and even enough for drawing faults. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Weight, and what is drawn besides: how long it lasts, in milliseconds, and how slow it is.
const FAULTS = {
  reset: { weight: 4 },
  silence: { weight: 2 },
  'half-open up': { weight: 2 },
  'half-open down': { weight: 2 },
  stall: { weight: 1 },
  outage: { weight: 2, lasts: [50, 3_000] },
  slow: { weight: 3, lasts: [500, 3_000], bytesPerSecond: [32 * 1024, 512 * 1024], delay: [0, 150] },
};
const PAUSE_MS = [50, 1_500];
const KILL_PAUSE_MS = [2_000, 6_000];
const KILL_LASTS_MS = [0, 1_000];

/** Faults of one link for so long: `{ pause, fault, lasts, bytesPerSecond, delay }`, one after the other. */
export function planLink(random, duration) {
  const deck = Object.entries(FAULTS).flatMap(([fault, { weight }]) => Array(weight).fill(fault));
  return plan(duration, () => {
    const fault = deck[Math.floor(random() * deck.length)];
    const step = { pause: draw(random, PAUSE_MS), fault, lasts: 0 };
    for (const name of ['lasts', 'bytesPerSecond', 'delay']) if (FAULTS[fault][name]) step[name] = draw(random, FAULTS[fault][name]);
    return step;
  });
}

/** When the server is killed, and for how long. */
export function planKills(random, duration) {
  return plan(duration, () => ({ pause: draw(random, KILL_PAUSE_MS), fault: 'kill', lasts: draw(random, KILL_LASTS_MS) }));
}

function plan(duration, next) {
  const steps = [];
  for (let step = next(), at = 0; (at += step.pause + step.lasts) <= duration; step = next()) steps.push(step);
  return steps;
}

function draw(random, [least, most]) {
  return Math.round(least + random() * (most - least));
}
