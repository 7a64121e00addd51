// Waiting on events, with an overall deadline that only a hang reaches.

/** Resolves as soon as `condition()` is truthy, looked at when `emitter` emits `event`. */
export function until(emitter, event, condition, { deadline = 60_000, what = event } = {}) {
  return new Promise((resolve, reject) => {
    const check = (...args) => {
      const value = condition(...args);
      if (!value) return;
      clearTimeout(timer);
      emitter.off(event, check);
      resolve(value);
    };
    const timer = setTimeout(() => {
      emitter.off(event, check);
      reject(new Error(`not within ${deadline} ms: ${what}`));
    }, deadline);
    emitter.on(event, check);
    check();
  });
}

/** `promise`, or `fallback` if it has not settled in time; with no fallback given, an error. */
export function within(ms, promise, fallback) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => (fallback === undefined ? reject(new Error(`not within ${ms} ms`)) : resolve(fallback)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
