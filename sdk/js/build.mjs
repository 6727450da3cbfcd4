// dist/: modules with their types for programs, and files for a <script>. It fails when one of those is larger than it may be.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST = { 'c2c-stasis.js': 10_000, 'click-to-call-button.js': 13_000 }; // bytes with gzip: the SDK, and with it the button in four languages
const here = dirname(fileURLToPath(import.meta.url));
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));

process.chdir(here);
rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, [join(typescript, 'bin/tsc')], { stdio: 'inherit' });
const files = { 'c2c-stasis.js': 'src/index.ts', 'click-to-call-button.js': 'src/script.ts' };
for (const [file, entry] of Object.entries(files)) {
  const outfile = `dist/${file}`;
  const made = { bundle: true, minify: true, target: 'es2022', format: 'iife', globalName: 'C2cStasis', legalComments: 'none' };
  await build({ ...made, entryPoints: [entry], outfile });
  const bytes = readFileSync(outfile);
  const size = gzipSync(bytes, { level: 9 }).length;
  console.log(`${file}: ${bytes.length} bytes, ${size} with gzip`);
  if (size > MOST[file]) {
    console.error(`more than ${MOST[file]}`);
    process.exitCode = 1;
  }
}
