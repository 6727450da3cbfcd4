import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDialable, tidyNumber, whyNotDialable } from '../dist/index.js';

test('what may be a number is let through: the service knows regions, extensions and emergency numbers', () => {
  for (const text of ['+15551234567', '5551234567', '(555) 123-4567', '555.123.4567', '1001', '911', '9-1-1', '15', '9911', '011442079460018', '+44 (0)20 7946 0018', '٩١١', '９１１', '+1\u00a0555\u2011123\u20114567', '\u202a+15551234567\u202c']) {
    assert.equal(whyNotDialable(text), null, text);
  }
});

test('what is surely none is not', () => {
  for (const text of ['', ' ', '1', '()', '--', 'alice', '1-800-FLOWERS', '+1555', '+0123456789', '+1234567890123456', '555;ext=1', 'sip:1@x', '+1555123\n4567', '5'.repeat(33), '55*5', '#31#5551234567', '5551234567,,1']) {
    assert.equal(isDialable(text), false, JSON.stringify(text));
  }
});

test('blanks and hyphens of typesetters and marks that nobody sees become ordinary or go; digits stay as they are', () => {
  assert.equal(tidyNumber('\u202a+1\u00a0555\u2013123\u20114567\u202c\u200f'), '+1 555-123-4567');
  assert.equal(tidyNumber('٩١١'), '٩١١');
});
