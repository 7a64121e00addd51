// The servers that speak `everwire.v1`, each as a process of its own that can be killed and started again at its port. To add
// one is to add an entry: whatever it needs to run, and that it prints its address in its first line. Each writes all that it
// has to say, at `trace` where there are levels, into a log that is looked through for what it must not hold.
import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { leaks } from './harness/leaks.mjs';
import { entryFile, missingPackage, packageDir, root } from './harness/site.mjs';
import { within } from './harness/wait.mjs';

const START_MS = 30_000;
const binary = path.resolve(root, process.env.EVERWIRE_SERVER_BIN ?? 'target/release/everwire-server');

/**
 * - `durable`: whether what it has stored survives `kill -9`
 * - `missing()`: why it cannot be had, or false
 * - `command({ port, origin, home, secret })`: program and arguments; `home` is a directory of its own, `secret` a file of it. Without
 *   a token everybody is let in, anonymously
 * - `token(name, secret)`: what makes its bearer `user_name`
 * - `path`: of its WebSocket endpoint
 * - `says`: what its log holds if it is one
 */
export const servers = [
  {
    name: 'everwire-server',
    durable: true,
    missing: () => existsSync(binary) ? false : `no program at ${path.relative(root, binary)}: set EVERWIRE_SERVER_BIN`,
    command: ({ port, origin, home, secret }) =>
      [binary, '--listen', `127.0.0.1:${port}`, '--anonymous', '--jwt-secret-file', secret, '--origin', origin, '--data', path.join(home, 'data')],
    token: webToken,
    path: '/ws',
    says: 'welcomed',
  },
  {
    name: 'everwire/server',
    durable: false,
    missing: () => missingPackage() || (exports('./server') ? false : 'the package has no entry everwire/server'),
    command: (at) => ['node', fixture('package-server.mjs'), path.join(packageDir, entryFile('./server')), ...listening(at)],
    token: anyToken,
    path: '',
    says: 'ws://',
  },
  {
    name: 'examples/node-session-server',
    durable: false,
    missing: () => false,
    command: (at) => ['node', fixture('session-server.mjs'), ...listening(at)],
    token: anyToken,
    path: '',
    says: 'ws://',
  },
];

const listening = ({ port, origin }) => ['--port', port, '--origin', origin];
const fixture = (name) => path.join(root, 'tests/e2e/fixtures', name);

/** A JSON Web Token, signed with what is in the server's file. */
export function webToken(name, secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: name, exp: Math.floor(Date.now() / 1_000) + 3_600 })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function anyToken(name) {
  return `${name}.${randomBytes(16).toString('hex')}`;
}

function exports(entry) {
  try {
    return entryFile(entry);
  } catch {
    return null;
  }
}

/** Starts one of them for pages of `origin`: `{ port, path, token(name), kills, kill9(), restart(), leaks(secrets), close() }`. */
export async function startServer(kind, { origin }) {
  const home = await mkdtemp(path.join(os.tmpdir(), 'everwire-e2e-'));
  const [log, secret, key] = [path.join(home, 'log'), path.join(home, 'secret'), randomBytes(32).toString('hex')];
  await writeFile(secret, key);
  let running = await run(kind, { port: 0, origin, home, secret }, log);
  const { port } = running;
  const server = {
    port,
    path: kind.path,
    /** What makes a page `user_name`. */
    token: (name) => kind.token(name, key),
    /** How often it has been killed. */
    kills: 0,
    /** Ends the process as a power cut would. */
    async kill9() {
      server.kills += 1;
      await running.end();
    },
    /** Starts it again, at the same port and over the same data. */
    async restart() {
      running = await run(kind, { port, origin, home, secret }, log);
    },
    /** Ends it. Which of these, or of its own, stand in the log of all its lives. */
    async leaks(secrets) {
      await running.end();
      const { bytes, found } = await leaks(log, [...secrets, key, kind.says]);
      const isLog = found.some(([what]) => what === kind.says);
      return { bytes, found: isLog ? found.filter(([what]) => what !== kind.says) : [['', 'there is no log to look at']] };
    },
    async close() {
      await running.end();
      await rm(home, { recursive: true, force: true });
    },
  };
  return server;
}

async function run(kind, at, log) {
  const [program, ...args] = kind.command({ ...at, port: String(at.port) });
  // Straight into the file: much is said at `trace`, and whoever runs the pages has other things to do.
  const file = await open(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', file.fd], env: { ...process.env, RUST_LOG: 'trace' } });
  const ended = once(child, 'close').then(async ([code, signal]) => {
    await file.close();
    return `${code ?? signal}`;
  });
  const lines = createInterface(child.stdout);
  lines.on('line', (line) => appendFileSync(file.fd, `${line}\n`));
  const first = once(lines, 'line').then(([line]) => line);
  const failed = ended.then(async (how) => {
    throw new Error(`${kind.name} ended before it listened: ${how}\n${(await readFile(log, 'utf8')).slice(-4_000)}`);
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
