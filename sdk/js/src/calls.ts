/** Calls: begin one, look at it, follow it, end it. */

import type { Api } from './api.js';
import { DialStackError, wrong } from './errors.js';
import { tidyNumber, whyNotDialable } from './numbers.js';
import type { CallEvent, CallRecord, CallStatus, Outcome } from './records.js';
import { EventStream, type Pace } from './stream.js';

export interface CreateCall {
  /** Whose phones ring first: `user_…`. */
  userId: string;
  /** Whom to call: E.164 (`+15551234567`), a national number, an extension, or an emergency number. */
  dialString: string;
  /** At most 16 texts that the record gives back. */
  metadata?: Record<string, string>;
  /** The number that this call shows: `did_…`. */
  did?: string;
  /** The only phone of the user that rings: `ep_…`. */
  deviceId?: string;
  /** Seconds. */
  ringTimeout?: number;
  answerTimeout?: number;
  maxDuration?: number;
  /** Whether who is called is not shown the number. */
  anonymous?: boolean;
  /** One of your own, or that of an error, to ask for the same call again; else each call has a new one. */
  idempotencyKey?: string;
}

export interface CreatedCall {
  id: string;
  /** Whether it is the call of an earlier request with this `idempotencyKey`. */
  replayed: boolean;
}

export interface ListCalls {
  userId?: string;
  did?: string;
  direction?: 'outbound' | 'internal' | 'inbound';
  fromNumber?: string;
  toNumber?: string;
  status?: CallStatus;
  outcome?: Outcome;
  live?: boolean;
  fromDate?: string | Date;
  toDate?: string | Date;
  limit?: number;
  expand?: Array<'did'>;
}

/** A page of a list, newest first. */
export interface CallPage {
  data: CallRecord[];
  /** The older page; null at the end. */
  next: (() => Promise<CallPage>) | null;
  /** The newer page; null at the beginning. */
  previous: (() => Promise<CallPage>) | null;
}

export interface FollowOptions {
  /** Events of legs as well. */
  legs?: boolean;
  /** Told whenever the stream is lost for some reason; it comes back by itself, unless `final`. */
  onError?: (error: DialStackError, final: boolean) => void;
  /** Told whenever it is there. */
  onConnected?: () => void;
}

const WAIT_FOR_STREAM = 1_000; // ms that a call waits for the stream that is to tell of it

export class Calls {
  constructor(
    private readonly api: Api,
    private readonly pace: Pace,
    private readonly placed: (within: number) => Promise<void>,
  ) {}

  /**
   * Ring the user's phones and then dial. It is asked for once, whatever happens: whether to try again is for people to decide.
   * After an error with `uncertain`, do so with its `idempotencyKey`, and no phone rings twice.
   */
  async create(call: CreateCall): Promise<CreatedCall> {
    const { idempotencyKey = newKey(), ...asked } = call;
    const body = { ...snake(asked), dial_string: checked(call) };
    await this.placed(WAIT_FOR_STREAM);
    const answer = await this.api.ask('POST', '/v1/calls', { body, idempotencyKey });
    const id = /\/v1\/calls\/(call_[0-9a-z]+)$/.exec(answer.headers.get('Location') ?? '')?.[1];
    if (id === undefined) {
      const what = 'The call was accepted, but its Location could not be read: expose that header to the page';
      throw new DialStackError('unexpected_answer', what, { status: answer.status, idempotencyKey });
    }
    return { id, replayed: answer.headers.get('Idempotent-Replayed') === 'true' };
  }

  /** One call, live or ended. */
  async retrieve(id: string, options: { expand?: Array<'did'> } = {}): Promise<CallRecord> {
    return this.api.read<CallRecord>(pathOf(id) + queryOf(options));
  }

  /** A page of the call log. */
  async list(filters: ListCalls = {}): Promise<CallPage> {
    return this.#page(`/v1/calls${queryOf(filters)}`);
  }

  /** Cancel or hang up, in any state; also when it has ended. */
  async cancel(id: string): Promise<void> {
    await this.api.ask('DELETE', pathOf(id));
  }

  /** Everything that has happened to a call, in order. */
  async events(id: string): Promise<CallEvent[]> {
    return (await this.api.read<{ data: CallEvent[] }>(`${pathOf(id)}/events`)).data;
  }

  /**
   * Tell every event of one call, from its first to `call.end`, once and in order, whatever cuts the stream.
   * It ends by itself with the call; what is given ends it before.
   */
  follow(id: string, handler: (event: CallEvent) => void, options: FollowOptions = {}): () => void {
    const query = `call_id=${encodeURIComponent(id)}&after=0${options.legs ? '&types=*' : ''}`;
    pathOf(id);
    let told = 0;
    const tell = (event: CallEvent): void => {
      if (event.data.call_id !== id || event.data.sequence <= told) return;
      told = event.data.sequence;
      if (event.type === 'call.end') stream.stop();
      if (options.legs || event.type.startsWith('call.')) safely(handler, event);
    };
    const stream: EventStream = new EventStream(
      this.api,
      () => query,
      {
        event: tell,
        // What the stream cannot replay, the call's own log still has.
        reset: async () => (await this.events(id)).forEach(tell),
        connected: () => options.onConnected?.(),
        disconnected: (error, final) => {
          if (error !== null && options.onError) options.onError(error, final);
        },
      },
      this.pace,
    ).start();
    return () => stream.stop();
  }

  async #page(path: string): Promise<CallPage> {
    type Answer = { data: CallRecord[]; next_page_url: string | null; previous_page_url: string | null };
    const { data, next_page_url, previous_page_url } = await this.api.read<Answer>(path);
    const to = (url: string | null): CallPage['next'] => (url === null ? null : () => this.#page(url));
    return { data, next: to(next_page_url), previous: to(previous_page_url) };
  }
}

/** Call what the page gave; its mistakes are told where it looks for them, and stop nothing here. */
export function safely<T>(handler: (value: T) => void, value: T): void {
  try {
    handler(value);
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else console.error(error); // Node.js, where to throw it would end the program
  }
}

const USER = /^user_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** The dial string to send. Throws when something is missing or wrong, as the service would, in the same order. */
function checked(call: CreateCall): string {
  if (!call.userId) throw wrong('missing_field', 'user_id', 'is required', 'user_id is required');
  if (!call.dialString) throw wrong('missing_field', 'dial_string', 'is required', 'dial_string is required');
  if (!USER.test(call.userId)) {
    const reason = 'is not an id such as user_01h2xcejqtf2nbrexx3vqjhp42';
    throw wrong('invalid_user_id', 'user_id', reason, 'Invalid user_id format');
  }
  const reason = whyNotDialable(String(call.dialString));
  if (reason !== null) throw wrong('validation_error', 'dial_string', reason);
  return tidyNumber(String(call.dialString));
}

function pathOf(id: string): string {
  if (!/^call_[0-9a-z]+$/.test(id)) throw wrong('invalid_argument', 'id', 'is not the id of a call');
  return `/v1/calls/${id}`;
}

/** A key that nobody else has; also on pages without TLS, which have no `randomUUID`. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function snake(asked: object): Record<string, unknown> {
  const entries = Object.entries(asked).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name.replace(/[A-Z]/g, (big) => `_${big.toLowerCase()}`), value]));
}

function queryOf(filters: object): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(snake(filters))) {
    if (Array.isArray(value)) value.forEach((one) => query.append(`${name}[]`, String(one)));
    else query.append(name, value instanceof Date ? value.toISOString() : String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
