// Times that were measured, as a table behind the tests of a file.
import { after } from 'node:test';
import { show, table } from './table.mjs';

const HEAD = ['browser', 'scenario', 'delivery', 'bytes', 'n', 'median s', 'p95 s', 'most s', 'bound s'];

/** Rows of the table of a file, which is shown at the end. `add` takes seconds and gives their 95th percentile; `note` is for what has no figures. */
export function measures(file) {
  const rows = [];
  after(() => rows.length > 0 && show(file, table(HEAD, rows)));
  return {
    add(browser, scenario, mode, bytes, seconds, bound) {
      const sorted = seconds.toSorted((a, b) => a - b);
      const at = (part) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)];
      rows.push([browser.name, scenario, mode, bytes, sorted.length, ...[at(0.5), at(0.95), sorted.at(-1)].map((s) => s.toFixed(2)), bound]);
      return at(0.95);
    },
    note(browser, scenario, mode, what, { n = '–' } = {}) {
      rows.push([browser.name, scenario, mode, '–', n, '–', '–', '–', what]);
    },
  };
}
