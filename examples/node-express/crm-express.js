// A small CRM whose people call its customers, with Express: sh examples/run node-express.

import { randomBytes, timingSafeEqual, createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import express from 'express';
import session from 'express-session';

const STAFF = new Map([['alice', 'wonderland'], ['bob', 'builder']]); // yours: a table of users, with hashes of their passwords

// --- to be copied: the platform key is in the environment of this server, and goes to the service alone
const { C2C_BASE_URL, C2C_API_KEY, C2C_ACCOUNT, PORT = '3000' } = process.env;

async function ask(method, path, body) {
  const answer = await fetch(C2C_BASE_URL + path, {
    method,
    headers: {
      Authorization: `Bearer ${C2C_API_KEY}`,
      'DialStack-Account': C2C_ACCOUNT,
      ...(body && { 'Content-Type': 'application/json' }),
    },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
  return answer.json();
}

const userIds = new Map(); // yours: a column of the table of users
for (const user of (await ask('GET', '/v1/users?limit=100')).data) userIds.set(user.name.toLowerCase(), user.id);

const app = express();
app.use(express.json());
app.use(session({
  secret: randomBytes(32).toString('hex'), resave: false, saveUninitialized: false, cookie: { sameSite: 'strict' },
}));

const digest = (text) => createHash('sha256').update(text).digest();

app.post('/api/login', (req, res, next) => {
  const { name, password } = req.body ?? {};
  const expected = STAFF.get(name);
  if (expected === undefined || !timingSafeEqual(digest(String(password)), digest(expected))) {
    return res.status(401).json({ error: 'wrong name or password' });
  }
  req.session.regenerate((error) => {
    if (error) return next(error);
    req.session.name = name;
    res.sendStatus(204);
  });
});

app.post('/api/logout', (req, res) => req.session.destroy(() => res.sendStatus(204)));

// --- to be copied: what `fetchClientSecret` of the page gets. Who is signed in decides whose session it is, and nothing else
app.get('/api/dialstack/session', async (req, res) => {
  if (!req.session.name) return res.status(401).json({ error: 'sign in first' });
  try {
    const opened = await ask('POST', '/v1/user_sessions', { user_id: userIds.get(req.session.name), ttl_seconds: 3600 });
    const { client_secret, user_id, expires_at } = opened;
    res.set('Cache-Control', 'no-store').json({ client_secret, user_id, expires_at, api_url: C2C_BASE_URL });
  } catch {
    res.status(503).json({ error: 'calls are not possible now' });
  }
});

app.use(express.static(process.env.PAGE ?? fileURLToPath(new URL('../crm', import.meta.url))));

app.listen(Number(PORT), '127.0.0.1', () => console.log(`Running on http://127.0.0.1:${PORT}`));
