// WebKitGTK's MiniBrowser, driven by WebKitWebDriver, on a screen that nobody sees. A driver has one session at a time, so each
// has a driver of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Builder } from 'selenium-webdriver';
import { waitForServer } from 'selenium-webdriver/http/util.js';
import { findFreePort } from 'selenium-webdriver/net/portprober.js';
import { drive } from './driven.mjs';
import { family, program } from './programs.mjs';

const START_MS = 60_000;
const libraries = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].flatMap((triple) =>
  ['webkitgtk-6.0', 'webkit2gtk-4.1', 'webkit2gtk-4.0'].map((version) => `/usr/lib/${triple}/${version}/MiniBrowser`));
const binary = program('MINIBROWSER', ['MiniBrowser', ...libraries]);
const webdriver = program('WEBKITWEBDRIVER', ['WebKitWebDriver']);
const xvfb = program('XVFB', ['Xvfb']);

/** Why there is no WebKit here, or false. */
export const missing = !webdriver ? 'no WebKitWebDriver: set WEBKITWEBDRIVER'
  : !binary ? 'no MiniBrowser: set MINIBROWSER'
  : !xvfb ? 'no Xvfb: set XVFB' : false;

/** Starts WebKit: `{ version, page(url), close() }`. */
export async function start() {
  const screen = await startScreen();
  try {
    const browser = await drive(() => startSession(screen.display));
    return { ...browser, close: () => browser.close().finally(screen.close) };
  } catch (error) {
    await screen.close();
    throw error;
  }
}

/** A screen in memory, at a display that nobody else has. */
async function startScreen() {
  const args = ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'];
  const child = spawn(xvfb, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  endWithUs(child);
  const ended = once(child, 'exit');
  const failed = ended.then(([code, signal]) => Promise.reject(new Error(`Xvfb ended before it had a display: ${code ?? signal}`)));
  failed.catch(() => {});
  const [display] = await Promise.race([once(child.stdio[3], 'data'), failed]);
  return {
    display: `:${String(display).trim()}`,
    async close() {
      child.kill();
      await ended;
    },
  };
}

/** A test file that fails outside of its tests closes nothing. */
function endWithUs(child) {
  const end = () => child.kill();
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
}

async function startSession(display) {
  const port = await findFreePort('127.0.0.1');
  // Not to lean on the machine: no window of the user's, no session bus, no GPU. Root has no sandbox to put a browser into.
  const env = {
    ...process.env, DISPLAY: display, GDK_BACKEND: 'x11', WAYLAND_DISPLAY: '', NO_AT_BRIDGE: '1', GTK_A11Y: 'none', LIBGL_ALWAYS_SOFTWARE: '1',
    ...(process.getuid() === 0 && { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' }),
  };
  const child = spawn(webdriver, ['--host=127.0.0.1', `--port=${port}`], { env, stdio: 'ignore' });
  endWithUs(child);
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill();
    await ended;
  };
  try {
    const address = `http://127.0.0.1:${port}`;
    await waitForServer(address, START_MS);
    const driver = await new Builder().usingServer(address).withCapabilities({
      browserName: 'MiniBrowser',
      'webkitgtk:browserOptions': { binary, args: ['--automation'] },
    }).build();
    return { driver, pid: family(child.pid)[1], quit: () => driver.quit().finally(stop) };
  } catch (error) {
    await stop();
    throw error;
  }
}
