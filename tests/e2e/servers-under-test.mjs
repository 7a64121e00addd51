// The servers that speak `everwire.v1`, each as a process of its own that can be killed and started again at its port. To add
// one is to add an entry: whatever it needs to run, and that it prints its address in its first line.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { entryFile, missingPackage, packageDir, root } from './harness/site.mjs';
import { within } from './harness/wait.mjs';

const START_MS = 30_000;
const binary = path.resolve(root, process.env.EVERWIRE_SERVER_BIN ?? 'target/release/everwire-server');

/**
 * - `durable`: whether what it has stored survives `kill -9`
 * - `missing()`: why it cannot be had, or false
 * - `command({ port, origin, data })`: program and arguments; without a token everybody is let in, anonymously
 * - `path`: of its WebSocket endpoint
 */
export const servers = [
  {
    name: 'everwire-server',
    durable: true,
    missing: () => existsSync(binary) ? false : `no program at ${path.relative(root, binary)}: set EVERWIRE_SERVER_BIN`,
    command: ({ port, origin, data }) => [binary, '--listen', `127.0.0.1:${port}`, '--anonymous', '--origin', origin, '--data', data],
    path: '/ws',
  },
  {
    name: 'everwire/server',
    durable: false,
    missing: () => missingPackage() || (exports('./server') ? false : 'the package has no entry everwire/server'),
    command: (at) => ['node', fixture('package-server.mjs'), path.join(packageDir, entryFile('./server')), ...listening(at)],
    path: '',
  },
  {
    name: 'examples/node-session-server',
    durable: false,
    missing: () => false,
    command: (at) => ['node', path.join(root, 'examples/node-session-server/server.mjs'), ...listening(at)],
    path: '',
  },
];

const listening = ({ port, origin }) => ['--port', port, '--origin', origin];
const fixture = (name) => path.join(root, 'tests/e2e/fixtures', name);

function exports(entry) {
  try {
    return entryFile(entry);
  } catch {
    return null;
  }
}

/** Starts one of them for pages of `origin`: `{ port, path, kills, kill9(), restart(), close() }`. */
export async function startServer(kind, { origin }) {
  const data = kind.durable ? await mkdtemp(path.join(os.tmpdir(), 'everwire-e2e-')) : null;
  let running = await run(kind, { port: 0, origin, data });
  const { port } = running;
  const server = {
    port,
    path: kind.path,
    /** How often it has been killed. */
    kills: 0,
    /** Ends the process as a power cut would. */
    async kill9() {
      server.kills += 1;
      await running.end();
    },
    /** Starts it again, at the same port and over the same data. */
    async restart() {
      running = await run(kind, { port, origin, data });
    },
    async close() {
      await running.end();
      if (data) await rm(data, { recursive: true, force: true });
    },
  };
  return server;
}

async function run(kind, at) {
  const [program, ...args] = kind.command({ ...at, port: String(at.port) });
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit').then(([code, signal]) => `${code ?? signal}`);
  let complaints = '';
  child.stderr.on('data', (data) => (complaints = (complaints + data).slice(-4_000)));
  const lines = createInterface(child.stdout);
  const first = once(lines, 'line').then(([line]) => line);
  const failed = ended.then((how) => {
    throw new Error(`${kind.name} ended before it listened: ${how}\n${complaints}`);
  });
  failed.catch(() => {});
  const line = await within(START_MS, Promise.race([first, failed])).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  const port = Number(/\b(?:ws|http):\/\/[^\s/]+:(\d+)/.exec(line)?.[1]);
  if (!port) {
    child.kill('SIGKILL');
    throw new Error(`${kind.name} printed ${JSON.stringify(line)} instead of its address`);
  }
  return {
    port,
    async end() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
