import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { DialStack } from '../dist/client.js';
import { PACE, Service, USER, frame, newId, token, until } from './service.mjs';

let service, dialstack, sessions, told, states;

beforeEach(async () => {
  service = await Service.start();
  [sessions, told, states] = [[], [], []];
  dialstack = load();
});
afterEach(async () => {
  dialstack.close();
  await service.stop();
});

function load(lasts = 3600) {
  const fetchClientSecret = () => (sessions.push(token(lasts)), sessions.at(-1));
  return new DialStack({ apiUrl: service.url, fetchClientSecret }, PACE);
}

const tell = (event) => told.push(`${event.data.call_id} ${event.type} ${event.data.sequence}`);
const streams = () => service.requests.filter(({ path }) => path.startsWith('/v1/events'));

/** Listen, and wait until the stream is there. */
async function listening(type = 'call.*') {
  dialstack.on(type, tell).on('connected', () => states.push('connected')).on('disconnected', (error) => states.push(error?.code ?? 'disconnected'));
  await until(() => service.streams.size === 1 && states.length > 0, 'the stream');
}

test('who listens is told of every event once, in order, with the session in the header', async () => {
  await listening();
  for (const type of ['call.ringing', 'call.initiated', 'call.answered', 'call.end']) service.happen('call_1', type);
  await until(() => told.length === 4, 'four events');
  assert.deepEqual(told, ['call_1 call.ringing 1', 'call_1 call.initiated 2', 'call_1 call.answered 3', 'call_1 call.end 4']);
  assert.equal(streams()[0].headers.authorization, `Bearer ${sessions[0]}`);
  assert.equal(streams()[0].path, '/v1/events?types=call.*');
});

test('a type, a group or all can be listened to, and left again', async () => {
  const heard = { end: 0, leg: 0, all: 0 };
  const end = () => heard.end++;
  await listening();
  dialstack.on('call.end', end).on('leg.*', () => heard.leg++).on('*', () => heard.all++);
  await until(() => streams().length === 2 && service.streams.size === 1, 'a stream with legs');
  assert.equal(streams()[1].path, '/v1/events?types=*');
  service.happen('call_1', 'leg.created');
  service.happen('call_1', 'call.end');
  await until(() => heard.all === 2, 'both');
  dialstack.off('call.end', end).off('leg.*');
  service.happen('call_2', 'leg.created');
  service.happen('call_2', 'call.end');
  await until(() => heard.all === 4, 'two more');
  assert.deepEqual(heard, { end: 1, leg: 1, all: 4 });
});

test('what is listened to no more is not asked for; who leaves and comes at once keeps the stream', async () => {
  await listening();
  dialstack.off('call.*', tell).on('call.*', tell);
  service.happen('call_1', 'call.end');
  await until(() => told.length === 1, 'the event');
  assert.equal(streams().length, 1);
  dialstack.off('call.*', tell);
  await until(() => service.streams.size === 0, 'the stream to end');
});

test('events are neither missed nor repeated when the stream is cut two hundred times', async () => {
  await listening();
  let happened = 0;
  for (let cut = 0; cut < 200; cut++) {
    const before = streams().length;
    for (let some = cut % 4; some >= 0; some--) service.happen(`call_${++happened}`, 'call.end');
    service.cut();
    service.happen(`call_${++happened}`, 'call.end');
    if (cut % 10 === 0) await until(() => streams().length > before, 'the next stream');
  }
  await until(() => told.length >= happened, `${happened} events`);
  assert.deepEqual(told, Array.from({ length: happened }, (_, at) => `call_${at + 1} call.end 1`));
  assert.ok(streams().length > 20);
});

test('an event that is cut in the middle comes whole after the cut', async () => {
  await listening();
  const event = service.happen('call_1', 'call.ringing');
  await until(() => told.length === 1, 'the first');
  const text = frame('call.end', event.text.replace('"sequence":1', '"sequence":2').replace('call.ringing', 'call.end'), 2);
  for (const { response } of service.streams) response.write(text.slice(0, 60));
  service.events.push({ id: 2, type: 'call.end', text: event.text.replace('"sequence":1', '"sequence":2').replace('call.ringing', 'call.end'), call: 'call_1' });
  service.cut();
  await until(() => told.length === 2, 'the second');
  assert.deepEqual(told, ['call_1 call.ringing 1', 'call_1 call.end 2']);
  assert.equal(streams()[1].headers['last-event-id'], '1');
});

test('what happens before the first event is not lost either, when the stream is cut', async () => {
  service.happen('call_0', 'call.end');
  await listening();
  service.cut();
  service.happen('call_1', 'call.end');
  await until(() => told.length === 1, 'the event');
  assert.deepEqual(told, ['call_1 call.end 1']);
  assert.equal(streams()[1].headers['last-event-id'], '1');
});

test('a stream that repeats what was told tells it once', async () => {
  await listening();
  const { type, text, id } = service.happen('call_1', 'call.end');
  for (const { response } of service.streams) response.write(frame(type, text, id));
  service.happen('call_2', 'call.end');
  await until(() => told.length === 2, 'two');
  assert.deepEqual(told, ['call_1 call.end 1', 'call_2 call.end 1']);
});

test('numbers are compared as numbers, however many digits they have', async () => {
  service.events.push({ id: 9, type: 'call.end', text: '{}', call: '' });
  await listening();
  service.happen('call_1', 'call.end');
  await until(() => told.length === 1, 'number 10 after 9');
});

test('a service that is silent is left, and one that is away is looked for, less and less often', async () => {
  await listening();
  const began = Date.now();
  await until(() => streams().length === 2, 'the second stream'); // nothing is sent for 300 ms
  assert.ok(Date.now() - began > 200);
  service.down = true;
  service.cut();
  await until(() => streams().length === 8, 'eight attempts');
  const away = states.filter((state) => state === 'connection_failed').length;
  assert.ok(away >= 5, states.join());
  service.down = false;
  service.happen('call_1', 'call.end');
  await until(() => told.length === 1, 'the event');
});

test('a service that says how long to wait is obeyed', async () => {
  await listening();
  service.answers.push((response) => service.problem(response, 429, 'Too many event streams', 'too_many_streams', undefined, { 'Retry-After': '1' }));
  const began = Date.now();
  service.close('stopping', 30);
  await until(() => streams().length === 3, 'the third');
  assert.ok(Date.now() - began >= 1000);
  assert.deepEqual(states.slice(0, 3), ['connected', 'disconnected', 'too_many_streams']);
});

test('after a session that ended the stream comes back with a new one, and goes on', async () => {
  await listening();
  service.close('session_ended');
  service.happen('call_1', 'call.end');
  await until(() => told.length === 1, 'the event');
  assert.equal(sessions.length, 2);
  assert.equal(streams()[1].headers.authorization, `Bearer ${sessions[1]}`);
  service.accepted = new Set();
  service.cut();
  await until(() => states.includes('unauthorized'), 'the refusal');
  service.accepted = null;
  service.happen('call_2', 'call.end');
  await until(() => told.length === 2, 'the second event');
});

test('the session is renewed before it ends, and the stream goes on with it', async () => {
  dialstack.close();
  dialstack = load(1); // renewed after 0.9 s
  await listening();
  const [first] = service.streams;
  const talk = setInterval(() => first.response.write(':\n\n'), 50);
  await until(() => streams().length === 2, 'the second stream');
  clearInterval(talk);
  service.happen('call_1', 'call.end');
  await until(() => told.length === 1, 'the event');
  assert.equal(sessions.length, 2);
  assert.notEqual(streams()[1].headers.authorization, streams()[0].headers.authorization);
});

test('a place that the service never gave is told as a reset, and the stream goes on', async () => {
  const resets = [];
  dialstack.on('reset', (reset) => resets.push(reset));
  service.happen('call_0', 'call.end');
  service.happen('call_0', 'call.end');
  await listening();
  service.events = service.events.slice(0, 1); // an older backup was restored
  service.cut();
  await until(() => resets.length === 1, 'the reset');
  service.happen('call_1', 'call.end');
  await until(() => told.length === 1, 'the event');
  assert.deepEqual(resets, [{ reason: 'unknown', after: 1 }]);
});

test('when the session is of another account, its numbers are not taken for those of the first', async () => {
  const resets = [];
  dialstack.on('reset', (reset) => resets.push(reset));
  service.happen('call_0', 'call.end');
  await listening();
  service.account = 'acct_2';
  for (let other = 0; other < 5; other++) service.happen('call_other', 'call.end');
  await until(() => told.length === 5, 'the events');
  told.length = 0;
  service.cut();
  await until(() => resets.length === 1 && streams().length === 3, 'the stream of the other account');
  service.happen('call_2', 'call.end');
  await until(() => told.length === 1, 'the event');
  assert.deepEqual(resets, [{ reason: 'other_account', after: null }]);
});

test('what is not allowed is told, and not asked again and again', async () => {
  const errors = [];
  service.answers.push((response) => service.problem(response, 403, 'Not allowed: pages of this origin', 'origin_not_allowed'));
  dialstack.on('error', (error) => errors.push(error.code)).on('call.*', tell);
  await until(() => errors.length === 1, 'the error');
  assert.deepEqual(errors, ['origin_not_allowed']);
  await new Promise((done) => setTimeout(done, 100));
  assert.equal(streams().length, 1);
  dialstack.on('call.end', tell);
  await until(() => streams().length === 2, 'a new attempt of who listens anew');
});

test('a handler that fails is told of, and takes nothing from the others', async (t) => {
  const failed = t.mock.method(console, 'error', () => {});
  dialstack.on('call.end', () => { throw new Error('of the page'); });
  await listening();
  service.happen('call_1', 'call.end');
  await until(() => told.length === 1, 'the event');
  assert.equal(failed.mock.calls[0].arguments[0].message, 'of the page');
});

test('a call that is placed by who listens waits for the stream, so that its first event is not missed', async () => {
  dialstack.on('call.*', tell);
  await dialstack.calls.create({ userId: USER, dialString: '+15551234567' });
  assert.deepEqual(service.requests.map(({ method }) => method), ['GET', 'POST']);
  assert.equal(service.streams.size, 1);
});

test('a call is placed all the same when there is no stream', async () => {
  service.answers.push(() => {});
  dialstack.on('call.*', tell);
  await dialstack.calls.create({ userId: USER, dialString: '+15551234567' });
});

test('a call can be followed from its beginning to its end, through cuts, beside others', async () => {
  const id = newId('call');
  service.happen(id, 'call.ringing');
  service.happen('call_other', 'call.ringing');
  const left = dialstack.calls.follow(id, tell);
  await until(() => told.length === 1, 'what had happened');
  service.cut();
  service.happen(id, 'call.initiated');
  await until(() => told.length === 2, 'what happened during the cut');
  service.happen(id, 'leg.ringing');
  service.happen(id, 'call.end');
  await until(() => told.length === 3 && service.streams.size === 0, 'the end');
  assert.deepEqual(told, [`${id} call.ringing 1`, `${id} call.initiated 2`, `${id} call.end 4`]);
  left();
});

test('a call that is followed is told from its own log when the stream has lost its place', async () => {
  const id = newId('call');
  for (const type of ['call.ringing', 'leg.ringing', 'call.initiated', 'call.end']) service.happen(id, type);
  service.answers.push((response) => response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(frame('connected', { account_id: service.account, after: 0 }, 0) + frame('reset', { reason: 'too_old', after: 3 }, 3)));
  dialstack.calls.follow(id, tell, { legs: true });
  await until(() => told.length === 4, 'all of it');
  assert.deepEqual(told, [`${id} call.ringing 1`, `${id} leg.ringing 2`, `${id} call.initiated 3`, `${id} call.end 4`]);
  assert.equal(streams()[0].path, `/v1/events?call_id=${id}&after=0&types=*`);
});
