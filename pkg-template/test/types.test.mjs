import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

// types/test.ts holds what must compile and, under @ts-expect-error, what must not.
test('the types, and the sources against them', () => {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  execFileSync(process.execPath, [compiler, '-p', fileURLToPath(new URL('..', import.meta.url))], { stdio: 'inherit' });
});
