// Firefox as it is installed, driven by geckodriver.
import { Builder } from 'selenium-webdriver';
import firefox from 'selenium-webdriver/firefox.js';
import { drive } from './driven.mjs';
import { program } from './programs.mjs';

const binary = program('FIREFOX', ['firefox-esr', 'firefox']);
const gecko = program('GECKODRIVER', ['geckodriver']);

/** Why there is no Firefox here, or false. */
export const missing = !binary ? 'no Firefox: set FIREFOX' : !gecko ? 'no geckodriver: set GECKODRIVER' : false;

/** Starts Firefox: `{ version, page(url), close() }`. */
export const start = () => drive(startSession);

async function startSession() {
  const driver = await new Builder()
    .forBrowser('firefox')
    .setFirefoxOptions(new firefox.Options().setBinary(binary).addArguments('-headless'))
    // For the switch of the network, which no page may touch.
    .setFirefoxService(new firefox.ServiceBuilder(gecko).addArguments('--allow-system-access'))
    .build();
  async function setOffline(off) {
    await driver.setContext(firefox.Context.CHROME);
    await driver.executeScript('Services.io.offline = arguments[0];', off);
    await driver.setContext(firefox.Context.CONTENT);
  }
  return { driver, pid: (await driver.getCapabilities()).get('moz:processID'), setOffline, quit: () => driver.quit() };
}
