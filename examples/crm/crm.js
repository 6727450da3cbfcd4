// The page: sign in, then a Call button beside each customer.

import { loadDialStack } from './sdk/index.js';
import { ClickToCallButton } from './sdk/button.js';

const form = document.querySelector('#login');
const customers = document.querySelector('#customers');

// --- to be copied: whose session it is, the server knows by the cookie of who is signed in
async function fetchClientSecret() {
  const answer = await fetch('/api/dialstack/session');
  if (!answer.ok) throw new Error(answer.status === 401 ? 'sign in first' : 'calls are not possible now');
  return answer.json();
}

async function start() {
  const { api_url, user_id } = await fetchClientSecret();
  ClickToCallButton.dialstack = await loadDialStack('pk_live_crm', { apiUrl: api_url, fetchClientSecret });
  for (const button of document.querySelectorAll('click-to-call-button')) button.user = user_id;
}
// --- to here

async function show() {
  try {
    await start();
    [form.hidden, customers.hidden] = [true, false];
  } catch {
    [form.hidden, customers.hidden] = [false, true];
  }
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const answer = await fetch('/api/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  form.querySelector('[role=alert]').textContent = answer.ok ? '' : 'Wrong name or password';
  if (answer.ok) await show();
});

document.querySelector('#logout').addEventListener('click', async () => {
  await fetch('/api/logout', { method: 'POST' });
  location.reload();
});

await show();
