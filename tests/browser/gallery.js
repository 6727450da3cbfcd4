// Brings each button of the gallery into the state that its data-state names. Who places its call is made up: the call goes
// as far as that state, and stays there.

import '/sdk/button.js';
import { DialStackError } from '/sdk/index.js';

const WAY = ['call.ringing', 'call.initiated', 'leg.ringing', 'call.answered'];
const BEGAN = new Date(Date.now() - 83_000).toISOString();
const TALKED = { reason: 'normal', connected_at: '2026-11-24T10:00:00Z', ended_at: '2026-11-24T10:12:34Z' };

const failed = (code, message = '', status = null) => new DialStackError(code, message, { status });
const reaches = (steps, end = null) => ({ steps, end });
const STATES = {
  idle: null,
  starting: 'nothing yet',
  calling: reaches(1),
  dialling: reaches(2),
  ringing: reaches(3),
  talking: reaches(4),
  offline: reaches(4),
  ending: reaches(2),
  ended: reaches(4, TALKED),
  busy: reaches(3, { reason: 'destination_busy' }),
  unanswered: reaches(3, { reason: 'destination_no_answer' }),
  no_device: reaches(0, { reason: 'no_device' }),
  refused: failed('destination_not_allowed', '', 403),
  expired: failed('unauthorized', '', 401),
  uncertain: failed('timeout'),
  emergency: failed('unavailable', 'Emergency call NOT placed', 503),
};
const never = () => new Promise(() => {});

function standsAt(state) {
  const at = STATES[state];
  const event = (type, more) => ({ type, created_at: new Date().toISOString(), data: { leg: { side: 'b' }, ...more } });
  const create = async () => {
    if (at instanceof Error) throw at;
    return at.steps === undefined ? never() : { id: 'call_1', replayed: false };
  };
  const follow = (id, tell, { onError }) => {
    setTimeout(() => {
      for (const type of WAY.slice(0, at.steps)) tell(event(type, { connected_at: BEGAN }));
      if (at.end !== null) tell(event('call.end', at.end));
      if (state === 'offline') onError(failed('connection_failed'), false);
    });
    return () => {};
  };
  return { calls: { create, follow, retrieve: never, cancel: never } };
}

const buttons = [...document.querySelectorAll('click-to-call-button')];
for (const button of buttons) {
  const { state } = button.dataset;
  if (STATES[state] === null) continue;
  button.dialstack = standsAt(state);
  void button.call();
  if (state === 'ending') setTimeout(() => button.cancel(), 50);
}
setTimeout(() => (document.body.dataset.shown = 'all'), 100);
