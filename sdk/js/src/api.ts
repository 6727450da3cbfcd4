/** Requests to the service: with the session, a deadline, and errors that tell what is wrong. */

import { DialStackError, errorOf } from './errors.js';
import type { Session } from './session.js';

export interface Asked {
  body?: unknown;
  idempotencyKey?: string;
}

export class Api {
  constructor(
    readonly url: string,
    readonly session: Session,
    private readonly timeout: number,
  ) {}

  /** Ask the service; once more after a 401, with a new session, for nothing was done. Else a call is never begun again. */
  async ask(method: 'GET' | 'POST' | 'DELETE', path: string, asked: Asked = {}): Promise<Response> {
    const key = asked.idempotencyKey ?? null;
    try {
      return await this.#once(method, path, asked);
    } catch (error) {
      if (!(error instanceof DialStackError)) throw error;
      const again = error.status === 401 || (method === 'GET' && error.code === 'connection_failed');
      if (again) return this.#once(method, path, asked);
      if (key === null) throw error;
      throw new DialStackError(error.code, error.message, { ...error, idempotencyKey: key, cause: error.cause });
    }
  }

  /** The same, for an answer that is JSON. */
  async read<T>(path: string): Promise<T> {
    const answer = await this.ask('GET', path);
    try {
      return (await answer.json()) as T;
    } catch (cause) {
      throw new DialStackError('unexpected_answer', 'The answer is no JSON', { status: answer.status, cause });
    }
  }

  async #once(method: string, path: string, asked: Asked): Promise<Response> {
    const secret = await this.session.secret();
    const headers: Record<string, string> = { Authorization: `Bearer ${secret}`, Accept: 'application/json' };
    const request: RequestInit = { method, headers, cache: 'no-store', credentials: 'omit' };
    if (asked.body !== undefined) {
      headers['Content-Type'] = 'application/json';
      request.body = JSON.stringify(asked.body);
    }
    if (asked.idempotencyKey !== undefined) headers['Idempotency-Key'] = asked.idempotencyKey;
    const answer = await this.#within(this.url + path, request);
    if (answer.ok) return answer;
    if (answer.status === 401) this.session.rejected(secret);
    throw await errorOf(answer);
  }

  /** The answer, whole, before the time is over. */
  async #within(url: string, request: RequestInit): Promise<Response> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), this.timeout);
    try {
      const answer = await fetch(url, { ...request, signal: abort.signal });
      const body = await answer.arrayBuffer();
      return new Response(body.byteLength > 0 ? body : null, answer);
    } catch (cause) {
      if (abort.signal.aborted) throw new DialStackError('timeout', 'The service did not answer in time', { cause });
      throw new DialStackError('connection_failed', 'The service could not be reached', { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}
