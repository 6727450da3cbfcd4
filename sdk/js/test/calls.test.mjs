import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { DialStackError, loadDialStack } from '../dist/index.js';
import { Service, USER, json, token } from './service.mjs';

let service, dialstack, sessions;
const CALL = { userId: USER, dialString: '+15551234567' };

const load = (options = {}) =>
  loadDialStack('pk_test_1', { apiUrl: service.url, fetchClientSecret: async () => (sessions.push(token(3600)), sessions.at(-1)), ...options });

const posts = () => service.requests.filter((request) => request.method === 'POST');

/** The error that this ends with. */
async function error(promise) {
  const caught = await promise.then((value) => assert.fail(`no error, but ${JSON.stringify(value)}`), (reason) => reason);
  assert.ok(caught instanceof DialStackError, String(caught));
  return caught;
}

beforeEach(async () => {
  service = await Service.start();
  sessions = [];
  dialstack = await load();
});
afterEach(() => {
  dialstack.close();
  return service.stop();
});

test('a call is asked for as the page of the product does it, once, with the session and a key of its own', async () => {
  const { id, replayed } = await dialstack.calls.create(CALL);
  const [request] = service.requests;
  assert.match(id, /^call_/);
  assert.equal(replayed, false);
  assert.equal(request.path, '/v1/calls');
  assert.deepEqual(request.body, { user_id: USER, dial_string: '+15551234567' });
  assert.equal(request.headers.authorization, `Bearer ${sessions[0]}`);
  assert.match(request.headers['idempotency-key'], /^[0-9a-f]{32}$/);
  await dialstack.calls.create(CALL);
  assert.notEqual(posts()[1].headers['idempotency-key'], request.headers['idempotency-key']);
  assert.equal(sessions.length, 1);
});

test('what a call may say is sent by the names of the API', async () => {
  await dialstack.calls.create({ ...CALL, metadata: { crm: '42' }, did: 'did_1', deviceId: 'ep_1', ringTimeout: 20, answerTimeout: 30, maxDuration: 60, anonymous: true, idempotencyKey: 'mine' });
  assert.deepEqual(posts()[0].body, { user_id: USER, dial_string: '+15551234567', metadata: { crm: '42' }, did: 'did_1', device_id: 'ep_1', ring_timeout: 20, answer_timeout: 30, max_duration: 60, anonymous: true });
  assert.equal(posts()[0].headers['idempotency-key'], 'mine');
});

test('what is surely wrong is told as the service tells it, and not sent', async () => {
  const cases = [
    [{ dialString: '911' }, 'missing_field', 'userId', 'user_id is required'],
    [{ userId: USER }, 'missing_field', 'dialString', 'dial_string is required'],
    [{ userId: 'alice', dialString: '911' }, 'invalid_user_id', 'userId', 'Invalid user_id format'],
    [{ userId: USER, dialString: 'call me' }, 'validation_error', 'dialString', /^Invalid dial_string: may hold/],
    [{ userId: USER, dialString: '+1555' }, 'validation_error', 'dialString', /7 to 15 digits/],
  ];
  for (const [asked, code, field, message] of cases) {
    const { code: told, field: named, message: said, status } = await error(dialstack.calls.create(asked));
    assert.deepEqual([told, named, status], [code, field, null]);
    assert.match(said, message instanceof RegExp ? message : new RegExp(`^${message}$`));
  }
  assert.deepEqual(service.requests, []);
  assert.deepEqual(sessions, []);
});

test('an error of the service carries all that it told', async () => {
  service.answers.push((response) => service.problem(response, 400, 'Invalid dial_string: is too short', 'validation_error', { dial_string: 'is too short', rule: 'impossible_number' }));
  const short = await error(dialstack.calls.create(CALL));
  assert.deepEqual([short.status, short.code, short.field, short.rule, short.requestId], [400, 'validation_error', 'dialString', 'impossible_number', 'req1']);
  assert.equal(short.message, 'Invalid dial_string: is too short');
  service.answers.push((response) => service.problem(response, 429, 'Limit reached: 5 calls a second', 'limit_reached', { rule: 'calls_a_second' }, { 'Retry-After': '7' }));
  const limit = await error(dialstack.calls.create(CALL));
  assert.deepEqual([limit.status, limit.code, limit.field, limit.rule, limit.retryAfter], [429, 'limit_reached', null, 'calls_a_second', 7]);
  service.answers.push((response) => json(response, { error: 'User not found' }, 404));
  assert.deepEqual(await error(dialstack.calls.create(CALL)).then((one) => [one.status, one.message]), [404, 'User not found']);
});

test('an answer of something before the service is told apart', async () => {
  service.answers.push((response) => response.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>Bad gateway</h1>'));
  const gateway = await error(dialstack.calls.create(CALL));
  assert.deepEqual([gateway.status, gateway.code, gateway.uncertain], [502, 'unexpected_answer', true]);
  service.answers.push((response) => response.writeHead(202).end());
  assert.equal((await error(dialstack.calls.create(CALL))).code, 'unexpected_answer');
});

test('a call is never asked for a second time, whatever becomes of the first', async () => {
  service.answers.push((response, asked, request) => request.socket.destroy());
  const lost = await error(dialstack.calls.create(CALL));
  assert.deepEqual([lost.code, lost.status, lost.uncertain], ['connection_failed', null, true]);
  assert.equal(lost.idempotencyKey, posts()[0].headers['idempotency-key']);
  for (const [status, code] of [[403, 'forbidden'], [500, 'internal_error'], [503, 'unavailable']]) {
    service.answers.push((response) => service.problem(response, status, 'x', code));
    const refused = await error(dialstack.calls.create(CALL));
    assert.deepEqual([refused.status, refused.uncertain], [status, false]);
  }
  assert.equal(posts().length, 4);
});

test('no answer in time is an error with which the same call can be asked for again', async () => {
  const hasty = await load({ timeout: 50 });
  service.answers.push(() => {});
  const late = await error(hasty.calls.create(CALL));
  assert.deepEqual([late.code, late.uncertain], ['timeout', true]);
  service.answers.push((response) => response.writeHead(202, { Location: '/v1/calls/call_7', 'Idempotent-Replayed': 'true' }).end());
  assert.deepEqual(await hasty.calls.create({ ...CALL, idempotencyKey: late.idempotencyKey }), { id: 'call_7', replayed: true });
  assert.equal(posts()[1].headers['idempotency-key'], posts()[0].headers['idempotency-key']);
});

test('what was refused for its session is asked once more with a new one, a call as well: it had not begun', async () => {
  for (const ask of [() => dialstack.calls.retrieve('call_1'), () => dialstack.calls.cancel('call_1'), () => dialstack.calls.create(CALL)]) {
    service.accepted = new Set();
    service.answers.push((response) => (service.problem(response, 401, 'Unauthorized', 'unauthorized'), (service.accepted = null)));
    const had = sessions.length;
    await ask();
    assert.equal(sessions.length, Math.max(had, 1) + 1);
  }
  const [refused, placed] = posts();
  assert.equal(posts().length, 2);
  assert.deepEqual([placed.body, placed.headers['idempotency-key']], [refused.body, refused.headers['idempotency-key']]);
  service.accepted = new Set();
  assert.equal((await error(dialstack.calls.create(CALL))).code, 'unauthorized');
  assert.equal(posts().length, 4);
});

test('a session that is refused again is an error, not a loop', async () => {
  service.accepted = new Set();
  const refused = await error(dialstack.calls.retrieve('call_1'));
  assert.equal(refused.status, 401);
  assert.equal(sessions.length, 2);
  assert.equal(service.requests.length, 2);
});

test('a read whose connection was lost is repeated once', async () => {
  service.answers.push((response, asked, request) => request.socket.destroy());
  assert.equal((await dialstack.calls.retrieve('call_1')).id, 'call_1');
  service.down = true;
  assert.equal((await error(dialstack.calls.retrieve('call_1'))).code, 'connection_failed');
});

test('a call is looked at, ended, and found in pages by filters', async () => {
  assert.equal((await dialstack.calls.retrieve('call_1', { expand: ['did'] })).state, 'talking');
  await dialstack.calls.cancel('call_1');
  const page = await dialstack.calls.list({ userId: USER, toNumber: '+15551234567', live: false, fromDate: new Date(0), limit: 1, expand: ['did'] });
  assert.deepEqual(page.data, [{ id: 'call_1' }]);
  assert.equal(page.previous, null);
  await page.next();
  const asked = service.requests.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`);
  assert.deepEqual(asked, [
    'GET /v1/calls/call_1?expand[]=did',
    'DELETE /v1/calls/call_1',
    `GET /v1/calls?user_id=${USER}&to_number=+15551234567&live=false&from_date=1970-01-01T00:00:00.000Z&limit=1&expand[]=did`,
    'GET /v1/calls?limit=1&page=abc',
  ]);
});

test('an id that is none of a call reaches no other address', async () => {
  assert.equal((await error(dialstack.calls.cancel('../users/user_1'))).field, 'id');
  assert.deepEqual(service.requests, []);
});

test('what loadDialStack is given is looked at', async () => {
  const fetchClientSecret = () => 'x';
  const wrong = [
    ['sk_live_1', { fetchClientSecret, apiUrl: service.url }, 'publishableKey'],
    ['whatever', { fetchClientSecret, apiUrl: service.url }, 'publishableKey'],
    ['pk_live_1', { apiUrl: service.url }, 'fetchClientSecret'],
    ['pk_live_1', { fetchClientSecret, apiUrl: 'nowhere' }, 'apiUrl'],
    ['pk_live_1', { fetchClientSecret }, 'apiUrl'],
    ['pk_live_1', { fetchClientSecret, apiUrl: 'file:///tmp' }, 'apiUrl'],
  ];
  for (const [key, options, field] of wrong) {
    const refused = await error(loadDialStack(key, options));
    assert.deepEqual([refused.code, refused.field], ['invalid_argument', field]);
  }
  const below = await load({ apiUrl: `${service.url}/phone/` });
  await below.calls.create(CALL);
  assert.equal(service.requests[0].path, '/phone/v1/calls');
});
