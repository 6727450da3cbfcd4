// The same small CRM with React: sh examples/run react. Its server is that of examples/node-express.

import { loadDialStack } from '@c2c-stasis/sdk';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { CustomerCard } from './customer-card.jsx';

const CUSTOMERS = [
  { name: 'Grace Hopper', phone: '+15551234567' },
  { name: 'Ada Lovelace', phone: '+15557654321' },
];

// --- to be copied: whose session it is, the server knows by the cookie of who is signed in
async function fetchClientSecret() {
  const answer = await fetch('/api/dialstack/session');
  if (!answer.ok) throw new Error(answer.status === 401 ? 'sign in first' : 'calls are not possible now');
  return answer.json();
}

async function start() {
  const { api_url, user_id } = await fetchClientSecret();
  return { userId: user_id, dialstack: await loadDialStack('pk_live_crm', { apiUrl: api_url, fetchClientSecret }) };
}
// --- to here

function Login({ done }) {
  const [error, setError] = useState('');

  async function signIn(event) {
    event.preventDefault();
    const body = JSON.stringify(Object.fromEntries(new FormData(event.currentTarget)));
    const answer = await fetch('/api/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    if (answer.ok) done();
    else setError('Wrong name or password');
  }

  return (
    <form onSubmit={signIn}>
      <label>Name <input name="name" autoComplete="username" required /></label>
      <label>Password <input name="password" type="password" autoComplete="current-password" required /></label>
      <button>Sign in</button>
      <p role="alert">{error}</p>
    </form>
  );
}

function Crm() {
  const [calls, setCalls] = useState(null);
  const look = () => start().then(setCalls, () => setCalls(false));
  useEffect(() => void look(), []);

  async function signOut() {
    await fetch('/api/logout', { method: 'POST' });
    location.reload();
  }

  return (
    <>
      <h1>Customers</h1>
      {calls === false && <Login done={look} />}
      {calls && CUSTOMERS.map((customer) => <CustomerCard key={customer.phone} customer={customer} {...calls} />)}
      {calls && <button onClick={signOut}>Sign out</button>}
    </>
  );
}

createRoot(document.querySelector('#crm')).render(<Crm />);
