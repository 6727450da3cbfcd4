// The package as npm packs it: what is in it, that TypeScript understands it, and that Node.js finds it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
const STRICT = {
  target: 'ES2022',
  lib: ['ES2022', 'DOM', 'DOM.Iterable'],
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  skipLibCheck: false, // the types of the package are checked as well
  outDir: 'out',
};
let folder, packed;

/** Runs a program of Node.js in the folder of the consumer, and gives what it told; what it complains about is shown. */
function run(...command) {
  try {
    return execFileSync(process.execPath, command, { cwd: folder, encoding: 'utf8' });
  } catch (error) {
    assert.fail(`${command.join(' ')}\n${error.stdout}${error.stderr}`);
  }
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'c2c-consumer-'));
  const npm = process.env.npm_execpath;
  assert.ok(npm, 'run it with npm test');
  const pack = [npm, 'pack', join(here, '..'), '--json', '--offline', '--ignore-scripts', '--cache', join(folder, 'cache')];
  [packed] = JSON.parse(run(...pack));
  const into = join(folder, 'node_modules/@c2c-stasis/sdk');
  mkdirSync(into, { recursive: true });
  execFileSync('tar', ['-xzf', packed.filename, '-C', into, '--strip-components=1'], { cwd: folder });
  cpSync(join(here, 'consumer/program.ts'), join(folder, 'program.ts'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('it holds what is built, what it says and its licence, and nothing else', () => {
  const names = packed.files.map(({ path }) => path);
  assert.deepEqual(names.filter((name) => !/^dist\/[a-z0-9-]+(\.js|\.d\.ts)$/.test(name)).sort(), ['LICENSE', 'README.md', 'package.json']);
  for (const name of ['index.js', 'index.d.ts', 'button.js', 'button.d.ts', 'c2c-stasis.js', 'click-to-call-button.js', 'jssip.js']) {
    assert.ok(names.includes(`dist/${name}`), name);
  }
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(folder, 'node_modules/@c2c-stasis/sdk/package.json')));
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
});

for (const [module, moduleResolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
  test(`TypeScript understands it at its strictest, resolved as ${moduleResolution} does`, () => {
    const compilerOptions = { ...STRICT, module, moduleResolution };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    run(tsc);
    const told = JSON.parse(run('out/program.js'));
    assert.deepEqual(told, {
      told: { code: 'invalid_argument', field: 'publishableKey', status: null },
      element: 'function function',
      dialable: true,
      why: true,
    });
  });
}

test('the files for a <script> are found by their names', () => {
  const found = "['c2c-stasis.js', 'click-to-call-button.js'].map((name) => import.meta.resolve('@c2c-stasis/sdk/' + name))";
  const urls = JSON.parse(run('--input-type=module', '-e', `console.log(JSON.stringify(${found}))`));
  for (const url of urls) assert.match(readFileSync(fileURLToPath(url), 'utf8'), /C2cStasis/);
});
