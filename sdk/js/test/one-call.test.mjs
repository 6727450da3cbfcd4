import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { DialStack } from '../dist/client.js';
import { OneCall } from '../dist/one-call.js';
import { errorText, textsFor } from '../dist/texts.js';
import { PACE, Service, USER, token, until } from './service.mjs';

const NUMBER = '+15551234567';
let service, dialstack, call, phases, leave;

beforeEach(async () => {
  service = await Service.start();
  dialstack = load();
  phases = [];
  call = OneCall.of(dialstack, USER, NUMBER);
  leave = call.watch(() => phases.at(-1) !== call.standing.phase && phases.push(call.standing.phase));
});
afterEach(async () => {
  leave();
  if (call.live) (service.down = false), service.happen(call.standing.callId, 'call.end', { reason: 'normal' });
  await until(() => !call.live, 'the end');
  await service.stop();
});

function load(options = {}) {
  return new DialStack({ apiUrl: service.url, fetchClientSecret: () => token(3600), ...options }, PACE);
}

const posts = () => service.requests.filter(({ method }) => method === 'POST');
const at = (phase) => until(() => call.standing.phase === phase, phase);
const happen = (type, more) => service.happen(call.standing.callId, type, more);

test('a call is shown from the click to the end', async () => {
  await call.begin();
  await until(() => service.streams.size === 1, 'the stream');
  happen('call.ringing');
  happen('leg.ringing', { leg: { side: 'a' } });
  happen('call.initiated');
  happen('leg.ringing', { leg: { side: 'b' } });
  happen('call.answered', { connected_at: new Date().toISOString() });
  await at('talking');
  assert.ok(Math.abs(Date.now() - call.standing.talkingSince) < 500);
  happen('call.end', { reason: 'normal', connected_at: '2026-11-24T00:00:00Z', ended_at: '2026-11-24T00:01:05Z' });
  await at('ended');
  assert.deepEqual(phases, ['starting', 'calling', 'dialling', 'ringing', 'talking', 'ended']);
  assert.deepEqual([call.standing.reason, call.standing.talked], ['normal', 65_000]);
});

test('how long they talk is right though the clock of the page is an hour ahead and the stream was cut', async () => {
  const [hour, away] = [3600_000, 20_000];
  const said = (ago) => ({ connected_at: new Date(Date.now() - hour - ago).toISOString() });
  service.slow = hour; // what it says when something happened is an hour earlier
  await call.begin();
  await until(() => service.streams.size === 1, 'the stream');
  happen('call.initiated');
  await at('dialling');
  happen('call.answered', said(away)); // told late
  await at('talking');
  assert.ok(Math.abs(Date.now() - call.standing.talkingSince - away) < 500, String(Date.now() - call.standing.talkingSince));
});

test('however often it is clicked, one call is asked for, by however many buttons', async () => {
  const same = OneCall.of(dialstack, USER, NUMBER);
  assert.equal(same, call);
  await Promise.all(Array.from({ length: 50 }, () => same.begin()));
  await call.begin();
  assert.equal(posts().length, 1);
});

test('it is another call after the end', async () => {
  for (let times = 1; times <= 3; times++) {
    await call.begin();
    happen('call.end', { reason: 'user_no_answer' });
    await at('ended');
    assert.equal(posts().length, times);
  }
  assert.equal(new Set(posts().map(({ headers }) => headers['idempotency-key'])).size, 3);
});

test('who clicks again after no answer came asks for the same call, which cannot ring twice', async () => {
  service.answers.push((response, asked, request) => request.socket.destroy());
  await call.begin();
  assert.equal(call.standing.phase, 'failed');
  assert.ok(call.standing.error.uncertain);
  leave();
  assert.equal(OneCall.of(dialstack, USER, NUMBER), call); // not forgotten, though nobody looks
  await call.begin();
  const keys = posts().map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys[0], keys[1]);
  happen('call.end', { reason: 'normal' });
  await at('ended');
  await call.begin();
  assert.notEqual(posts()[2].headers['idempotency-key'], keys[0]);
});

test('what was refused is told, and the next click is a new attempt', async () => {
  service.answers.push((response) => service.problem(response, 409, 'User is busy: the user already has 2 calls', 'user_busy', { rule: 'user_busy' }));
  await call.begin();
  assert.deepEqual([call.standing.phase, call.standing.error.code], ['failed', 'user_busy']);
  await call.begin();
  assert.equal(call.standing.error, null);
  assert.equal(new Set(posts().map(({ headers }) => headers['idempotency-key'])).size, 2);
});

test('it is cancelled, and also when that is clicked before the service has answered', async () => {
  await call.begin();
  await call.cancel();
  assert.equal(call.standing.phase, 'ending');
  happen('call.initiated');
  happen('call.end', { reason: 'cancelled_by_api' });
  await at('ended');
  const began = call.begin();
  void call.cancel();
  await began;
  const deleted = service.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path);
  assert.equal(deleted.at(-1), `/v1/calls/${call.standing.callId}`);
  assert.equal(deleted.length, 2);
  assert.equal(call.standing.phase, 'ending');
});

test('a call that could not be ended is told of, and goes on', async () => {
  await call.begin();
  await until(() => service.streams.size === 1, 'the stream');
  service.answers.push((response, asked, request) => request.socket.destroy());
  await call.cancel();
  assert.deepEqual([call.standing.phase, call.standing.notEnded], ['calling', true]);
  happen('call.initiated');
  await at('dialling');
});

test('when the service is away the call is said to go on, and what happened is shown when it is back', async () => {
  await call.begin();
  await until(() => service.streams.size === 1, 'the stream');
  service.down = true;
  service.cut();
  await until(() => call.standing.error !== null, 'the loss');
  assert.equal(call.live, true);
  happen('call.initiated');
  service.down = false;
  await at('dialling');
  assert.equal(call.standing.error, null);
});

test('a call whose events may not be had is looked at', async () => {
  service.answers.push(
    (response) => response.writeHead(202, { Location: '/v1/calls/call_1' }).end(),
    (response) => service.problem(response, 403, 'Not allowed', 'not_allowed'),
  );
  await call.begin();
  await at('talking'); // as the record says
  service.answers.push((response) => service.problem(response, 404, 'Call not found', 'call_not_found'));
  await until(() => !call.live, 'the end');
  assert.deepEqual([call.standing.phase, call.standing.reason], ['ended', null]);
});

test('every reason and every error has words, in four languages, and others are spoken to in English', () => {
  for (const language of ['en', 'es', 'fr', 'de']) {
    const { texts, language: told } = textsFor(`${language}-XX`);
    assert.equal(told, language);
    const words = [...Object.values(texts.ended), ...Object.values(texts.errors)];
    assert.ok(words.every((word) => word.length > 3));
    assert.equal(new Set(words).size, words.length);
  }
  assert.equal(textsFor('ar').language, 'en');
  assert.equal(textsFor('').language, 'en');
});

test('a person is told what the error means', async () => {
  const { texts } = textsFor('de');
  const said = [];
  for (const [status, code, message, details] of [
    [503, 'unavailable', 'Emergency call NOT placed: nothing was dialled. Use another phone now'],
    [503, 'unavailable', 'Service unavailable, please retry'],
    [400, 'validation_error', 'Invalid dial_string: is too short', { dial_string: 'is too short' }],
    [400, 'validation_error', 'Invalid metadata: x', { metadata: 'x' }],
    [403, 'destination_not_allowed', 'x'],
    [401, 'unauthorized', 'Unauthorized'],
  ]) {
    const refuse = (response) => service.problem(response, status, message, code, details);
    service.answers.push(...(status === 401 ? [refuse, refuse] : [refuse])); // what a new session does not mend
    await call.begin();
    said.push(errorText(texts, call.standing.error));
  }
  const { emergency, unavailable, number, other, notAllowed, session } = texts.errors;
  assert.deepEqual(said, [emergency, unavailable, number, other, notAllowed, session]);
});
