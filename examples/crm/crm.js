// The page: sign in, then a Call button beside each customer.

import { call, fetchClientSecret } from './calls.js';

const WORDS = {
  accepted: 'Calling your phones…',
  ringing_user: 'Calling your phones…',
  dialling_destination: 'Dialling…',
  ringing_destination: 'Ringing…',
  joining: 'Connecting…',
  talking: 'Talking',
  playing_tone: 'Not reached',
  releasing: 'Ending…',
};

const form = document.querySelector('#login');
const customers = document.querySelector('#customers');

function show(signedIn) {
  form.hidden = signedIn;
  customers.hidden = !signedIn;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const answer = await fetch('/api/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  form.querySelector('[role=alert]').textContent = answer.ok ? '' : 'Wrong name or password';
  show(answer.ok);
});

document.querySelector('#logout').addEventListener('click', async () => {
  await fetch('/api/logout', { method: 'POST' });
  show(false);
});

for (const customer of customers.querySelectorAll('[data-number]')) {
  const button = customer.querySelector('button');
  const told = customer.querySelector('.told');
  button.addEventListener('click', async () => {
    button.disabled = true;
    told.textContent = WORDS.accepted;
    try {
      const record = await call(customer.dataset.number, (state) => (told.textContent = WORDS[state] ?? told.textContent));
      told.textContent = record.outcome === 'completed' ? `Talked for ${record.duration_seconds} s` : `Not reached: ${record.reason}`;
    } catch (error) {
      told.textContent = error.message;
      if (error.status === 401) show(false);
    } finally {
      button.disabled = false;
    }
  });
}

fetchClientSecret().then(() => show(true), () => show(false));
