// A wire that writes down everything it says, for tests that run their steps inside the page.
import { connect } from 'everwire';

const EVENTS = ['statechange', 'open', 'close', 'reconnecting', 'settled', 'undelivered', 'error'];
const FIELDS = ['link', 'attempts', 'code', 'reason', 'wasClean', 'cause', 'willRetry', 'retryIn', 'attempt', 'delay', 'id', 'messageType'];
const DEADLINE_MS = 30_000;

/** Short delays, so that a test with ten reconnections takes a second. */
export const QUICK = { delayMin: 10, delayMax: 50 };

/**
 * Connects and logs. `log` holds `{name, state, …fields}`; messages are `{name: 'message', message}` for the types
 * given. `until(test)` resolves with the first entry that passes, past ones included.
 */
export function watch(url, { types = ['text', 'welcome'], ...options } = {}) {
  const log = [];
  const waiting = new Set();
  const note = (entry) => {
    log.push(entry);
    for (const look of waiting) look();
  };
  const wire = connect(url, { reconnect: QUICK, ...options });
  for (const name of EVENTS) {
    wire.addEventListener(name, (event) => {
      const entry = { name, state: wire.state };
      for (const field of FIELDS) if (event[field] !== undefined) entry[field] = event[field];
      if (name === 'error') entry.code = event.error?.code;
      if (name === 'undelivered') entry.content = event.message?.content;
      note(entry);
    });
  }
  for (const type of types) wire.on(type, (message) => note({ name: 'message', message }));

  function until(test, what = String(test), deadline = DEADLINE_MS) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const entry = log.find(test);
        if (!entry) return;
        clearTimeout(timer);
        waiting.delete(look);
        resolve(entry);
      };
      const timer = setTimeout(() => {
        waiting.delete(look);
        reject(new Error(`never came: ${what}; log: ${JSON.stringify(log).slice(-2000)}`));
      }, deadline);
      waiting.add(look);
      look();
    });
  }

  return {
    wire,
    log,
    until,
    note,
    untilState: (state) => (wire.state === state ? Promise.resolve() : until((e) => e.name === 'statechange' && e.state === state, state)),
    named: (name) => log.filter((entry) => entry.name === name),
    messages: () => log.filter((entry) => entry.name === 'message').map((entry) => entry.message),
  };
}

/** `{name, code, message}` of what a call throws or a promise rejects with; null if neither. */
export async function failure(act) {
  try {
    await act();
    return null;
  } catch (error) {
    return { name: error.constructor.name, code: error.code, message: error.message, isError: error instanceof Error };
  }
}
