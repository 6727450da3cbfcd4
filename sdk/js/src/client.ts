/** What a page holds in its hand: calls, and the events of all of them. */

import { Api } from './api.js';
import { Calls, safely } from './calls.js';
import { DialStackError } from './errors.js';
import type { CallEvent, CallEventType, LegEventType } from './records.js';
import { Session, type FetchClientSecret } from './session.js';
import { EventStream, PACE, type Pace, type Reset } from './stream.js';

export interface LoadOptions {
  /** Asks your server for a session: gives its `client_secret`, or the object that holds it. */
  fetchClientSecret: FetchClientSecret;
  /** Where c2c-stasis is served, such as `https://calls.example.com`; the origin of the page if it is left out. */
  apiUrl?: string;
  /** Milliseconds that a request may take; 10 000 if it is left out. */
  timeout?: number;
}

type Types = CallEventType | LegEventType | 'call.*' | 'leg.*' | '*';

/** The names for `on` and `off`, and what a handler of each is given. */
export interface Events extends Record<Types, CallEvent> {
  /** The stream is there. */
  connected: void;
  /** It is not; it comes back by itself. `error` tells why, if something went wrong. */
  disconnected: DialStackError | null;
  /** Some events cannot be told any more: look at `calls.list()`. */
  reset: Reset;
  /** It does not come back: what was asked for is not allowed. */
  error: DialStackError;
}

export type Handler<Name extends keyof Events> = (value: Events[Name]) => void;

const GRACE = 1_000; // ms that the stream stays when nobody listens: pages take a handler off and put it on again

export class DialStack {
  readonly calls: Calls;
  #api: Api;
  #pace: Pace;
  #handlers = new Map<string, Set<(value: never) => void>>();
  #stream: EventStream | null = null;
  #query = '';
  #leaving: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LoadOptions, pace: Pace = PACE) {
    const timeout = options.timeout ?? 10_000;
    this.#api = new Api(urlOf(options.apiUrl), new Session(options.fetchClientSecret, timeout), timeout);
    this.#pace = pace;
    this.calls = new Calls(this.#api, pace, async (within) => this.#stream?.placed(within));
  }

  /** Be told of events, of a type, of `call.*`, `leg.*` or `*`, from now on, each once and in order. */
  on<Name extends keyof Events>(name: Name, handler: Handler<Name>): this {
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    this.#handlers.get(name)?.add(handler);
    this.#listen();
    return this;
  }

  /** Be told no more: by this handler, or by none of the name. */
  off<Name extends keyof Events>(name: Name, handler?: Handler<Name>): this {
    if (handler === undefined) this.#handlers.delete(name);
    else if (this.#handlers.get(name)?.delete(handler) && this.#handlers.get(name)?.size === 0) this.#handlers.delete(name);
    this.#listen();
    return this;
  }

  /** End what is open, and forget every handler. */
  close(): void {
    this.#handlers.clear();
    this.#leave();
  }

  /** Have the stream that the handlers need, or none. */
  #listen(): void {
    const names = [...this.#handlers.keys()];
    const legs = names.some((name) => name === '*' || name.startsWith('leg.'));
    clearTimeout(this.#leaving);
    if (!legs && !names.some((name) => name.startsWith('call.'))) {
      if (this.#stream !== null) this.#leaving = setTimeout(() => this.#leave(), GRACE);
      return;
    }
    const query = `types=${legs ? '*' : 'call.*'}`;
    const changed = query !== this.#query;
    this.#query = query;
    if (this.#stream === null) this.#stream = this.#open().start();
    else if (changed) this.#stream.again();
  }

  #open(): EventStream {
    const listener = {
      event: (event: CallEvent): void => {
        const group = event.type.startsWith('leg.') ? 'leg.*' : 'call.*';
        for (const name of [event.type, group, '*'] as const) this.#tell(name, event);
      },
      reset: (reset: Reset): void => this.#tell('reset', reset),
      connected: (): void => this.#tell('connected', undefined),
      disconnected: (error: DialStackError | null, final: boolean): void => {
        this.#tell('disconnected', error);
        if (final) this.#stream = null;
        if (final && error !== null) this.#tell('error', error);
      },
    };
    return new EventStream(this.#api, () => this.#query, listener, this.#pace);
  }

  #leave(): void {
    clearTimeout(this.#leaving);
    this.#stream?.stop();
    this.#stream = null;
  }

  #tell<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) safely(handler as Handler<Name>, value);
  }
}

/**
 * What a page begins with. The publishable key opens nothing; the session that `fetchClientSecret` gets from your server does.
 * It is asked for when it is needed first.
 */
export async function loadDialStack(publishableKey: string, options: LoadOptions): Promise<DialStack> {
  if (/^sk_/.test(publishableKey)) {
    throw new DialStackError('invalid_argument', 'A platform key (sk_…) must stay on your server; use a publishable key, pk_…', {
      field: 'publishableKey',
    });
  }
  if (!/^pk_(test|live)_./.test(publishableKey)) {
    const what = 'publishableKey must begin with pk_test_ or pk_live_';
    throw new DialStackError('invalid_argument', what, { field: 'publishableKey' });
  }
  if (typeof options?.fetchClientSecret !== 'function') {
    throw new DialStackError('invalid_argument', 'fetchClientSecret must be a function', { field: 'fetchClientSecret' });
  }
  return new DialStack(options);
}

/** The address of the service, without a slash at its end. */
export function urlOf(given: string | undefined): string {
  const here = globalThis.location?.origin;
  try {
    const url = new URL(given ?? here ?? '', here);
    if (/^https?:$/.test(url.protocol)) return (url.origin + url.pathname).replace(/\/+$/, '');
  } catch {
    // told below
  }
  throw new DialStackError('invalid_argument', 'apiUrl must be an address such as https://calls.example.com', { field: 'apiUrl' });
}
