// Firefox as it is installed, driven by geckodriver. A page is a session with a profile of its own: tabs that are not in front
// are throttled, windows of two sessions are not.
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { Builder } from 'selenium-webdriver';
import firefox from 'selenium-webdriver/firefox.js';

// No script of a test takes that long unless it hangs.
const SCRIPT_MS = 10 * 60_000;

/** The program that `variable` names, or the first of these on PATH. */
function program(variable, names) {
  if (process.env[variable]) return process.env[variable];
  const places = process.env.PATH.split(path.delimiter).flatMap((dir) => names.map((name) => path.join(dir, name)));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const binary = program('FIREFOX', ['firefox-esr', 'firefox']);
const driver = program('GECKODRIVER', ['geckodriver']);

/** Why there is no Firefox here, or false. */
export const missing = !binary ? 'no Firefox: set FIREFOX' : !driver ? 'no geckodriver: set GECKODRIVER' : false;

/** Starts Firefox: `{ version, page(url), close() }`. */
export async function start() {
  const sessions = [await startSession()];
  const idle = [...sessions];
  return {
    version: (await sessions[0].getCapabilities()).getBrowserVersion(),
    async page(url) {
      let session = idle.pop();
      if (!session) sessions.push((session = await startSession()));
      const page = await openPage(session, url);
      return {
        ...page,
        async close() {
          // The next page of this session takes its place; this one must not go on in the meantime.
          await session.get('about:blank');
          idle.push(session);
        },
      };
    },
    close: () => Promise.all(sessions.map((session) => session.quit())),
  };
}

async function startSession() {
  const session = await new Builder()
    .forBrowser('firefox')
    .setFirefoxOptions(new firefox.Options().setBinary(binary).addArguments('-headless'))
    .setFirefoxService(new firefox.ServiceBuilder(driver))
    .build();
  await session.manage().setTimeouts({ script: SCRIPT_MS });
  return session;
}

async function openPage(session, url) {
  await session.get(url);
  const page = {
    /** Runs a function in the page, with one argument that JSON can hold, and resolves with what it returns or resolves to. */
    async evaluate(steps, argument = null) {
      const { value, error } = JSON.parse(await session.executeAsyncScript(inPage, `(${steps})`, JSON.stringify(argument)));
      if (error) throw new Error(`in the page: ${error}`);
      return value;
    },
    problems: () => page.evaluate(() => window.problems),
  };
  await page.evaluate(() => {
    window.problems = [];
    // A stack of Firefox does not begin with the message.
    const add = (error) => window.problems.push(error?.stack ? `${error}\n${error.stack}` : String(error));
    window.addEventListener('error', ({ error, message }) => add(error ?? message));
    window.addEventListener('unhandledrejection', ({ reason }) => add(reason));
  });
  return page;
}

/** Runs in the driver's sandbox, where `import()` does not work: what it is given to run belongs to the page. */
async function inPage(steps, argument, done) {
  try {
    done(JSON.stringify({ value: await window.eval(steps)(JSON.parse(argument)) }));
  } catch (error) {
    done(JSON.stringify({ error: `${error}\n${error?.stack ?? ''}` }));
  }
}
