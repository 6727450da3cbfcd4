// dist/: modules with their types for programs, and one file for a <script>. It fails when the SDK is larger than it may be.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST = 10_000; // bytes, compressed with gzip, of all that a page loads
const here = dirname(fileURLToPath(import.meta.url));
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));

process.chdir(here);
rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, [join(typescript, 'bin/tsc')], { stdio: 'inherit' });
const made = { bundle: true, minify: true, target: 'es2022', legalComments: 'none' };
await build({ ...made, entryPoints: ['src/script.ts'], outfile: 'dist/c2c-stasis.js', format: 'iife', globalName: 'C2cStasis' });
const alone = await build({ ...made, entryPoints: ['src/index.ts'], format: 'esm', write: false });

const sizes = { 'the SDK alone': alone.outputFiles[0].contents, 'with the button': readFileSync('dist/c2c-stasis.js') };
for (const [what, bytes] of Object.entries(sizes)) {
  const size = gzipSync(bytes, { level: 9 }).length;
  console.log(`${what}: ${bytes.length} bytes, ${size} with gzip`);
  if (size > MOST) {
    console.error(`more than ${MOST}`);
    process.exitCode = 1;
  }
}
