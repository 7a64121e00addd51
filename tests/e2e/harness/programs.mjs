// What is installed, and what runs.
import { accessSync, constants, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** The program that `variable` names, or the first of these on PATH (an absolute path is looked at as it is). */
export function program(variable, names) {
  if (process.env[variable]) return process.env[variable];
  const dirs = process.env.PATH.split(path.delimiter);
  const places = names.flatMap((name) => (path.isAbsolute(name) ? [name] : dirs.map((dir) => path.join(dir, name))));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A process and all that it has started, itself first: a browser is many. Linux alone. */
export function family(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The second field is a name in brackets that may hold anything.
      const [, parent] = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1).split(' ');
      parents.set(Number(name), Number(parent));
    } catch {
      // It has ended in the meantime.
    }
  }
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}
