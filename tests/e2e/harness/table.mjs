// A plain table on standard output: numbers to the right, a headline above each group.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './site.mjs';

/** @param {string[]} columns @param {Array<string[] | {group: string}>} rows */
export function table(columns, rows) {
  const cells = [columns, ...rows.filter(Array.isArray)].map((row) => row.map(String));
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const isText = widths.map((_, i) => i < 2 || cells.slice(1).every((row) => !/^(\d|–|never)/.test(row[i])));
  const line = (row) =>
    row
      .map((cell, i) => (isText[i] ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i])))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(columns), rule, ...rows.map((row) => (Array.isArray(row) ? line(row) : `\n${row.group}`))].join('\n');
}

/** Prints what a file has measured, and keeps it as `out/NAME.txt` for whoever prints several together. */
export function show(name, text) {
  console.log(`\n${text}\n`);
  const out = path.join(root, 'tests/e2e/out');
  mkdirSync(out, { recursive: true });
  writeFileSync(path.join(out, `${name}.txt`), `${text}\n`);
}
