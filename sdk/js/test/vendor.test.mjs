// What the service serves of the SDK is in the repository, so that whoever runs it needs no Node.js: it is what is built here.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const VENDOR = new URL('../../../src/c2c_stasis/api/console/page/vendor/', import.meta.url);
const BUILT = new URL('../dist/', import.meta.url);

for (const name of readdirSync(VENDOR).filter((name) => name.endsWith('.js'))) {
  test(`the service has ${name} as it is built here`, () => {
    const same = readFileSync(new URL(name, VENDOR), 'utf8') === readFileSync(new URL(name, BUILT), 'utf8');
    assert.ok(same, 'run: npm run vendor');
  });
}
