import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Session } from '../dist/session.js';
import { token } from './service.mjs';

/** A session whose server gives these, one after the other; the last for ever. */
function sessionOf(...given) {
  const asked = { times: 0 };
  const session = new Session(() => {
    const one = given[Math.min(asked.times++, given.length - 1)];
    return typeof one === 'function' ? one() : one;
  }, 1000);
  return { session, asked };
}

const fails = () => Promise.reject(new Error('500 from /session'));

test('what the server of the page gives may be the secret, or the object that holds it', async () => {
  for (const given of ['secret', { client_secret: 'secret' }, { clientSecret: 'secret' }, Promise.resolve({ client_secret: 'secret', expires_at: '2999-01-01T00:00:00Z' })]) {
    assert.equal(await sessionOf(given).session.secret(), 'secret');
  }
});

test('what is no secret is told, and a platform key above all', async () => {
  for (const given of [undefined, null, '', 7, {}, { error: 'log in first' }, 'sk_live_1', { client_secret: 'sk_test_1' }]) {
    await assert.rejects(sessionOf(given).session.secret(), { name: 'DialStackError', code: 'session_failed', status: null });
  }
  await assert.rejects(sessionOf(fails).session.secret(), { code: 'session_failed', message: /500 from \/session/ });
});

test('who asks while one is being fetched gets that one', async () => {
  const { session, asked } = sessionOf(() => new Promise((done) => setTimeout(() => done(token(60)), 20)));
  const secrets = await Promise.all(Array.from({ length: 20 }, () => session.secret()));
  assert.equal(new Set(secrets).size, 1);
  assert.equal(asked.times, 1);
});

test('a new one is fetched a minute before the end, or after nine tenths, whatever the clock of the page says', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  for (const [lasts, due] of [[3600, 3540], [100, 90]]) {
    const { session, asked } = sessionOf(() => token(lasts));
    const first = await session.secret();
    t.mock.timers.setTime(Date.now() + due * 1000 - 1);
    assert.equal(await session.secret(), first);
    t.mock.timers.setTime(Date.now() + 1);
    assert.notEqual(await session.secret(), first);
    assert.equal(asked.times, 2);
  }
});

test('the end may be told beside a secret that does not tell it', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 0 });
  const { session, asked } = sessionOf({ client_secret: 'opaque', expires_at: '1970-01-01T01:00:00Z' });
  await session.secret();
  t.mock.timers.setTime(3539_000);
  await session.secret();
  assert.equal(asked.times, 1);
  t.mock.timers.setTime(3540_000);
  await session.secret();
  assert.equal(asked.times, 2);
});

test('a secret whose end seems to be over is used until it is refused: the clock of the page may be wrong', async () => {
  const { session, asked } = sessionOf({ client_secret: 'opaque', expires_at: '1970-01-01T01:00:00Z' });
  await session.secret();
  assert.equal(await session.secret(), 'opaque');
  assert.deepEqual([asked.times, session.renewAt], [1, Infinity]);
});

test('as long as the present one counts, nobody notices that no new one can be had', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 0 });
  const good = token(3600);
  const { session, asked } = sessionOf(good, fails);
  await session.secret();
  t.mock.timers.setTime(3541_000);
  assert.equal(await session.secret(), good);
  assert.equal(await session.secret(), good);
  assert.equal(asked.times, 2);
  t.mock.timers.setTime(3600_000);
  await assert.rejects(session.secret(), { code: 'session_failed' });
});

test('a secret that was refused is used no more, and one that was refused late does not end its successor', async () => {
  const { session, asked } = sessionOf('one', 'two', 'three');
  session.rejected(await session.secret());
  assert.equal(await session.secret(), 'two');
  session.rejected('one');
  assert.equal(await session.secret(), 'two');
  assert.equal(asked.times, 2);
});

test('a server of the page that hangs holds nobody up for ever', async () => {
  const session = new Session(() => new Promise(() => {}), 20);
  const kept = setTimeout(() => {}, 5000);
  await assert.rejects(session.secret(), { code: 'session_failed', message: /too long/ });
  clearTimeout(kept);
});
