// A page in a browser that speaks WebDriver. Each page has a session with a profile of its own: tabs that are not in front are
// throttled, windows of two sessions are not.

// No script of a test takes that long unless it hangs.
const SCRIPT_MS = 10 * 60_000;

/** `startSession()` resolves with `{ driver, pid, setOffline?(off), quit() }`. The pages of a browser: `{ version, page(url), close() }`. */
export async function drive(startSession) {
  const start = async () => {
    const session = await startSession();
    await session.driver.manage().setTimeouts({ script: SCRIPT_MS });
    return session;
  };
  const sessions = [await start()];
  const idle = [...sessions];
  return {
    version: (await sessions[0].driver.getCapabilities()).getBrowserVersion(),
    async page(url) {
      let session = idle.pop();
      if (!session) sessions.push((session = await start()));
      const page = open(session);
      await page.goto(url);
      return {
        ...page,
        async close() {
          // The next page of this session takes its place; this one must not go on in the meantime.
          await session.driver.get('about:blank');
          idle.push(session);
        },
      };
    },
    close: () => Promise.all(sessions.map((session) => session.quit())),
  };
}

function open({ driver, pid, setOffline }) {
  const page = {
    /** Process id of the browser that the page lives in, which is the page's alone. */
    pid,
    setOffline,
    async goto(url) {
      await driver.get(url);
      await page.evaluate(collectProblems);
    },
    /** Runs a function, or an expression, in the page, with one argument that JSON can hold, and resolves with what it returns or resolves to. */
    async evaluate(steps, argument = null) {
      const { value, error } = JSON.parse(await driver.executeAsyncScript(inPage, `(${steps})`, JSON.stringify(argument)));
      if (error) throw new Error(`in the page: ${error}`);
      return value;
    },
    problems: () => page.evaluate(() => window.problems),
  };
  return page;
}

function collectProblems() {
  window.problems = [];
  // A stack does not begin with the message, but for Chromium's.
  const add = (error) => window.problems.push(error?.stack ? `${error}\n${error.stack}` : String(error));
  window.addEventListener('error', ({ error, message }) => add(error ?? message));
  window.addEventListener('unhandledrejection', ({ reason }) => add(reason));
}

/** Runs in the driver's sandbox, where `import()` does not work: what it is given to run belongs to the page. */
async function inPage(steps, argument, done) {
  try {
    const made = window.eval(steps);
    const value = await (typeof made === 'function' ? made(JSON.parse(argument)) : made);
    done(JSON.stringify({ value }));
  } catch (error) {
    done(JSON.stringify({ error: `${error}\n${error?.stack ?? ''}` }));
  }
}
