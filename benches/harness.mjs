// What the benchmarks share: processes, medians, tables. Everything is on loopback.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { webToken } from '../tests/e2e/servers-under-test.mjs';

/** `everwire-server` as it is shipped, with limits that no benchmark meets. */
export async function startServer({ durable = false, origin = '*' } = {}) {
  const binary = process.env.EVERWIRE_SERVER_BIN;
  if (!binary) throw new Error('EVERWIRE_SERVER_BIN names no program: run `cargo xtask bench`');
  const home = await mkdtemp(path.join(os.tmpdir(), 'everwire-bench-'));
  const secret = randomBytes(32).toString('hex');
  await writeFile(path.join(home, 'secret'), secret);
  const args = ['--listen', '127.0.0.1:0', '--anonymous', '--jwt-secret-file', path.join(home, 'secret'), '--origin', origin, '--connects-per-second', '100000', '--greeting-per-address', '100000',
    '--connections-per-address', '100000', '--messages-per-second', '10000000', '--log-messages-max', '2000000', '--log-bytes-max', '1073741824'];
  const child = spawn(binary, [...args, ...(durable ? ['--data', path.join(home, 'data')] : [])], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, RUST_LOG: 'warn' } });
  // Also when a benchmark has failed.
  process.once('exit', () => child.kill('SIGKILL'));
  const [line] = await once(createInterface(child.stdout), 'line');
  const port = Number(/:(\d+)$/.exec(line)[1]);
  return {
    port,
    url: `ws://127.0.0.1:${port}/ws`,
    pid: child.pid,
    /** With it the client is `user_name`, without one it is anonymous. */
    token: (name) => webToken(name, secret),
    async close() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await rm(home, { recursive: true, force: true });
    },
  };
}

export async function residentBytes(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

export const perSecond = (rate) => Math.round(rate).toLocaleString('en');

export function table(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}
