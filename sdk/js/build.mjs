// dist/: modules with their types for programs, and files for a <script>. It fails when one of those is larger than it may be.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST = { 'c2c-stasis.js': 10_000, 'click-to-call-button.js': 13_000, 'c2c-softphone.js': 12_000, 'jssip.js': 60_000 };
// bytes with gzip: the SDK, with it the button in four languages; the softphone, and the SIP library beside it
const VENDOR = '../../src/c2c_stasis/api/console/page/vendor';
const VENDORED = ['click-to-call-button.js', 'c2c-softphone.js', 'jssip.js'];
const here = dirname(fileURLToPath(import.meta.url));
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));

process.chdir(here);
rmSync('dist', { recursive: true, force: true });
copyFileSync('../../LICENSE', 'LICENSE'); // npm packs what is in this folder
execFileSync(process.execPath, [join(typescript, 'bin/tsc')], { stdio: 'inherit' });
copyFileSync('src/jssip.d.ts', 'dist/jssip.d.ts');
await buildJsSip();
const files = { 'c2c-stasis.js': 'src/index.ts', 'click-to-call-button.js': 'src/script.ts' };
const plain = { bundle: true, minify: true, target: 'es2022', legalComments: 'none' };
for (const [file, entry] of Object.entries(files)) {
  await build({ ...plain, format: 'iife', globalName: 'C2cStasis', entryPoints: [entry], outfile: `dist/${file}` });
}
// A module, for the SIP library is a file of its own beside it.
await build({ ...plain, format: 'esm', entryPoints: ['src/softphone.ts'], external: ['./jssip.js'], outfile: 'dist/c2c-softphone.js' });
for (const [file, most] of Object.entries(MOST)) {
  const bytes = readFileSync(`dist/${file}`);
  const size = gzipSync(bytes, { level: 9 }).length;
  console.log(`${file}: ${bytes.length} bytes, ${size} with gzip`);
  if (size > most) {
    console.error(`more than ${most}`);
    process.exitCode = 1;
  }
}

// What the service itself serves, in the repository, so that whoever runs it needs no Node.js.
if (process.argv.includes('--vendor')) {
  mkdirSync(VENDOR, { recursive: true });
  for (const file of VENDORED) copyFileSync(`dist/${file}`, join(VENDOR, file));
}

/** The part of JsSIP that a phone needs, and what it is built on, with their licences at its head. */
async function buildJsSip() {
  const contents = "export { UA, WebSocketInterface } from 'jssip';";
  const made = { bundle: true, minify: true, target: 'es2022', format: 'esm', legalComments: 'none' };
  const alias = { debug: join(here, 'silent-debug.cjs') };
  await build({ ...made, stdin: { contents, resolveDir: here }, alias, outfile: 'dist/jssip.js' });
  const texts = ['jssip/LICENSE.md', 'sdp-transform/LICENSE', 'events/LICENSE'].map((file) => {
    const name = file.split('/')[0];
    const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
    return `${name} ${version}\n\n${readFileSync(`node_modules/${file}`, 'utf8').trim()}`;
  });
  const told = texts.join('\n\n').replaceAll('*/', '* /');
  writeFileSync('dist/jssip.js', `/*!\n${told}\n*/\n${readFileSync('dist/jssip.js', 'utf8')}`);
}
