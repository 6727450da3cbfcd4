// A small service in this process, that speaks as docs/api.md says: sessions that end, calls, and a stream that can be cut.
import { createServer } from 'node:http';
import { once } from 'node:events';

export const USER = 'user_01h2xcejqtf2nbrexx3vqjhp42';
export const ACCOUNT = 'acct_01h2xcejqtf2nbrexx3vqjhp41';
export const PACE = { first: 5, most: 40, silence: 300 };

// Pages of any origin may ask.
const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, POST, DELETE',
  'Access-Control-Allow-Headers': 'authorization, content-type, dialstack-account, idempotency-key, last-event-id',
  'Access-Control-Expose-Headers': 'X-Request-Id, Location, Retry-After, Idempotent-Replayed',
  'Access-Control-Max-Age': '600',
};

let made = 0;

/** An id that no other has. */
export const newId = (prefix) => `${prefix}_01h2xcejqtf2nbrexx${String(++made).padStart(8, '0')}`;

/** A session token that says how long it lasts, as those of the service do. */
export function token(lasts, name = String(++made)) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const iat = Math.floor(Date.now() / 1000) - 7200; // its clock is two hours behind: only the difference counts
  return `${part({ alg: 'EdDSA' })}.${part({ iat, exp: iat + lasts, sub: name })}.x`;
}

export class Service {
  requests = []; // {method, path, headers, body}
  streams = new Set();
  events = []; // {id, type, text}
  account = ACCOUNT;
  answers = []; // taken before the usual ones: (request, response, body) => void
  accepted = null; // the secrets that count; null: any
  down = false;
  slow = 0; // ms that its clock is behind

  static async start() {
    const service = new Service();
    service.server = createServer((request, response) => service.#serve(request, response));
    service.server.listen(0, '127.0.0.1');
    await once(service.server, 'listening');
    service.url = `http://127.0.0.1:${service.server.address().port}`;
    return service;
  }

  async stop() {
    this.cut();
    this.server.closeAllConnections();
    this.server.close();
  }

  async #serve(request, response) {
    let text = '';
    for await (const piece of request) text += piece;
    const { method, url: path, headers } = request;
    for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value);
    if (method === 'OPTIONS' && !this.down) return response.writeHead(204).end();
    const body = text === '' ? null : JSON.parse(text);
    const asked = { method, path, headers, body };
    this.requests.push(asked);
    if (this.down) return request.socket.destroy();
    response.setHeader('X-Request-Id', 'req1');
    const answer = this.answers.shift();
    if (answer) return answer(response, asked, request);
    if (this.accepted && !this.accepted.has(headers.authorization?.slice(7))) return this.problem(response, 401, 'Unauthorized', 'unauthorized');
    if (path.startsWith('/v1/events')) return this.#stream(request, response, path);
    if (method === 'POST') return response.writeHead(202, { Location: `/v1/calls/${newId('call')}` }).end();
    if (method === 'DELETE') return response.writeHead(204).end();
    if (path.endsWith('/events')) return json(response, { data: this.events.map((event) => JSON.parse(event.text)) });
    if (/\/v1\/calls\/call_/.test(path)) return json(response, { id: path.split('/')[3], state: 'talking' });
    return json(response, { object: 'list', url: path, next_page_url: '/v1/calls?limit=1&page=abc', previous_page_url: null, data: [{ id: 'call_1' }] });
  }

  problem(response, status, error, code, details, headers = {}) {
    json(response, { error, code, ...(details ? { details } : {}) }, status, headers);
  }

  #stream(request, response, path) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const query = new URL(path, this.url).searchParams;
    const types = query.get('types') ?? 'call.*';
    const said = request.headers['last-event-id'] ?? query.get('after');
    const after = said === null ? this.last : Number(said);
    const known = after <= this.last;
    response.write(frame('connected', { account_id: this.account, after: known ? after : null }, known ? after : null));
    if (!known) response.write(frame('reset', { reason: 'unknown', after: this.last }, this.last));
    const wants = (event) => (types === '*' || event.type.startsWith('call.')) && (!query.has('call_id') || event.call === query.get('call_id'));
    if (known) for (const event of this.events) if (event.id > after && wants(event)) response.write(frame(event.type, event.text, event.id));
    response.write(': live\n\n');
    const stream = { response, wants };
    this.streams.add(stream);
    response.on('close', () => this.streams.delete(stream));
  }

  get last() {
    return this.events.at(-1)?.id ?? 0;
  }

  /** Something happens to a call. */
  happen(call, type, more = {}) {
    const sequence = this.events.filter((event) => event.call === call).length + 1;
    const text = JSON.stringify({ id: newId('evt'), type, account_id: this.account, created_at: new Date(Date.now() - this.slow).toISOString(), data: { call_id: call, sequence, ...more } });
    const event = { id: this.last + 1, type, text, call };
    this.events.push(event);
    for (const { response, wants } of this.streams) if (wants(event)) response.write(frame(type, text, event.id));
    return event;
  }

  /** Every stream is cut, in the middle of whatever is under way. */
  cut() {
    for (const { response } of this.streams) response.destroy();
    this.streams.clear();
  }

  /** Every stream is ended by the service, for this reason. */
  close(reason, retry = 1) {
    for (const { response } of this.streams) response.end(`retry: ${retry}\n${frame('closed', { reason })}`);
    this.streams.clear();
  }
}

export function frame(name, data, id = null) {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${text}\n\n`;
}

export function json(response, body, status = 200, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Wait until something holds. */
export async function until(holds, what) {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`never came: ${what}`);
    await new Promise((done) => setTimeout(done, 2));
  }
}
