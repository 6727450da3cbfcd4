// A program that uses the packed package, checked as strictly as can be; test/package.test.mjs compiles and runs it.

import { loadDialStack, DialStackError, isDialable, whyNotDialable } from '@c2c-stasis/sdk';
import type { CallEvent, CallPage, CallRecord, DialStack, Reason, Reset } from '@c2c-stasis/sdk';
import { C2cSoftphone, type PhoneStanding } from '@c2c-stasis/sdk/softphone';
import { ClickToCallButton, type Phase, type Standing } from '@c2c-stasis/sdk/button';

/** As the page of the product shows it. */
async function page(): Promise<void> {
  const dialstack = await loadDialStack('pk_test_...', {
    fetchClientSecret: async () => {
      const response = await fetch('/api/dialstack/session');
      return response.json();
    },
  });
  await dialstack.calls.create({ userId: 'user_01h2xcejqtf2nbrexx3vqjhp42', dialString: '+15551234567' });
}

/** Everything else that it has, with the types that it promises. */
async function all(dialstack: DialStack): Promise<void> {
  const { id, replayed }: { id: string; replayed: boolean } = await dialstack.calls.create({
    userId: 'user_01h2xcejqtf2nbrexx3vqjhp42',
    dialString: '1001',
    metadata: { ticket: '4711' },
    ringTimeout: 20,
  });
  const record: CallRecord = await dialstack.calls.retrieve(id);
  const reason: Reason | null = record.reason;
  let list: CallPage | null = await dialstack.calls.list({ live: true, fromDate: new Date(), limit: 10 });
  while (list !== null) list = (await list.next?.()) ?? null;
  dialstack
    .on('call.end', (event: CallEvent) => console.log(event.data.to_number, event.data.reason))
    .on('reset', (reset: Reset) => console.log(reset.reason))
    .on('connected', () => console.log(replayed, reason))
    .off('call.end');
  const leave: () => void = dialstack.calls.follow(id, (event) => console.log(event.type), { legs: true });
  leave();
  await dialstack.calls.cancel(id);
  dialstack.close();

  // @ts-expect-error who calls must be told
  await dialstack.calls.create({ dialString: '+15551234567' });
  // @ts-expect-error it has the names of JavaScript, not those of the API
  await dialstack.calls.create({ user_id: '', dial_string: '' });
  // @ts-expect-error there is no such event
  dialstack.on('call.ended', () => {});
  // @ts-expect-error an error never comes where an event is expected
  dialstack.on('error', (event: CallEvent) => event.id);
}

/** The button, as a typed element. */
function button(dialstack: DialStack): ClickToCallButton {
  const element = document.createElement('click-to-call-button');
  ClickToCallButton.dialstack = dialstack;
  element.number = '+15551234567';
  element.metadata = { ticket: '4711' };
  element.addEventListener('callchange', ({ detail }: CustomEvent<Standing>) => {
    const phase: Phase = detail.phase;
    console.log(phase, detail.reason, detail.error?.field);
  });
  void element.call();
  return element;
}

/** The softphone, likewise. */
function softphone(): PhoneStanding | null {
  const element: C2cSoftphone = document.createElement('c2c-softphone');
  element.user = 'user_01h2xcejqtf2nbrexx3vqjhp42';
  return element.standing;
}

// What it does where there is no page, as on a server that renders one.
try {
  await loadDialStack('sk_live_secret', { fetchClientSecret: () => 'secret' });
} catch (error) {
  if (!(error instanceof DialStackError)) throw error;
  const told = { code: error.code, field: error.field, status: error.status };
  const element = `${typeof ClickToCallButton} ${typeof C2cSoftphone}`;
  console.log(JSON.stringify({ told, element, dialable: isDialable('555 1234'), why: whyNotDialable('call me') !== null }));
}
export { page, all, button, softphone };
