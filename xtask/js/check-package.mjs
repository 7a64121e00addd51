// Asks npm what it would publish from a directory, and fails with a list of what is wrong with it.
//
//   node xtask/js/check-package.mjs DIR [--internal]     --internal: testing-internal.js lies there too, unpublished
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';

const EXPECTED = [
  'CHANGELOG.md',
  'LICENSE-APACHE',
  'LICENSE-MIT',
  'README.md',
  'everwire.wasm',
  'exactly-once-slim.d.ts',
  'exactly-once-slim.js',
  'exactly-once-slim.js.map',
  'exactly-once.d.ts',
  'exactly-once.js',
  'exactly-once.js.map',
  'exactly-once.wasm',
  'server.d.ts',
  'server.js',
  'server.js.map',
  'index.d.ts',
  'index.js',
  'index.js.map',
  'package.json',
  'slim.d.ts',
  'slim.js',
  'slim.js.map',
];
const INTERNAL = ['testing-internal.js', 'testing-internal.js.map'];

const [dir, flag] = process.argv.slice(2);
const unpublished = flag === '--internal' ? INTERNAL : [];
const problems = [];

const answer = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], {
  cwd: dir,
  encoding: 'utf8',
});
// npm 12 answers with an object keyed by package name, older ones with an array.
const [packed] = Object.values(JSON.parse(answer));
const published = new Set(packed.files.map((file) => file.path));
const present = readdirSync(dir, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => posix.relative(dir, posix.join(entry.parentPath ?? entry.path, entry.name)));

for (const file of EXPECTED) {
  if (!published.has(file)) problems.push(`${file} would not be published`);
}
for (const file of published) {
  if (!EXPECTED.includes(file)) problems.push(`${file} would be published`);
}
for (const file of present) {
  if (!published.has(file) && !unpublished.includes(file)) problems.push(`${file} was built but would not be published`);
}

const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
for (const file of targets([manifest.exports, manifest.main, manifest.module, manifest.types])) {
  if (!published.has(posix.normalize(file))) problems.push(`package.json names ${file}, which would not be published`);
}
if (manifest.exports === undefined) problems.push('package.json has no "exports"');
if (manifest.private) problems.push('package.json is private');
for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
  if (manifest.scripts?.[script]) problems.push(`package.json runs a script at ${script}`);
}
if (Object.keys(manifest.dependencies ?? {}).length > 0) problems.push('the package has dependencies');

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}

// Every path that an "exports" tree, or a plain field, leads to.
function targets(value) {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(targets);
}
