// Calls from a page, with a session from its own server.

// Whose session it is, the server knows by the cookie of who is signed in.
export async function fetchClientSecret() {
  const answer = await fetch('/api/dialstack/session');
  if (!answer.ok) throw Object.assign(new Error(answer.status === 401 ? 'Sign in first' : 'Calls are not possible now'), { status: answer.status });
  return answer.json();
}

// Places a call and tells each state of it, to its end. It is asked for once: what got no answer may ring all the same.
export async function call(number, tell) {
  const { client_secret, user_id, api_url } = await fetchClientSecret();
  const headers = { Authorization: `Bearer ${client_secret}`, 'Content-Type': 'application/json' };
  const body = JSON.stringify({ user_id, dial_string: number });
  let placed;
  try {
    placed = await fetch(`${api_url}/v1/calls`, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) });
  } catch {
    throw new Error('No answer: if your phone does not ring, try again');
  }
  if (placed.status !== 202) throw new Error((await placed.json()).error);
  const address = api_url + placed.headers.get('Location');
  for (let told; ; ) {
    const answer = await fetch(address, { headers });
    if (!answer.ok) throw new Error((await answer.json()).error);
    const record = await answer.json();
    if (record.state !== told) tell((told = record.state), record.reason);
    if (record.state === 'ended') return record;
    await new Promise((done) => setTimeout(done, 500));
  }
}
