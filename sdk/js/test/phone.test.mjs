// Why a call that was not answered ended, by what Asterisk says in the Reason of its CANCEL.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOf } from '../dist/phone.js';

const cancel = (reason) => ({ hasHeader: () => reason !== undefined, getHeader: () => reason });

for (const [said, originator, reason, end] of [
  ['answered elsewhere by Q.850', 'remote', 'Q.850;cause=26', 'elsewhere'],
  ['answered elsewhere by SIP', 'remote', 'SIP;cause=200;text="Call completed elsewhere"', 'elsewhere'],
  ['another cause that begins alike', 'remote', 'Q.850;cause=260', 'missed'],
  ['no reason', 'remote', undefined, 'missed'],
  ['an ordinary end', 'remote', 'Q.850;cause=16', 'missed'],
  ['declined here', 'local', undefined, 'declined'],
  ['no connection', 'system', undefined, 'failed'],
]) {
  test(`${said}: ${end}`, () => assert.equal(endOf({ originator, message: cancel(reason) }), end));
}
test('without a message', () => assert.equal(endOf({ originator: 'system', message: null }), 'failed'));
