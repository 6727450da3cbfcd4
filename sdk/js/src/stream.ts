/** The stream of events, through everything that cuts it: nothing is missed, nothing comes twice. */

import type { Api } from './api.js';
import { DialStackError, errorOf } from './errors.js';
import type { CallEvent } from './records.js';
import { Frames, type Frame } from './sse.js';

/** How soon a lost stream is looked for again. Milliseconds. */
export interface Pace {
  first: number; // doubled with each attempt in vain
  most: number;
  silence: number; // the service sends a comment every 15 s: whoever is silent for this long is gone
}

export const PACE: Pace = { first: 1_000, most: 30_000, silence: 40_000 };

/** Some events are not there any more, or belong to another account: look at `calls.list()` to see what was missed. */
export interface Reset {
  reason: 'too_old' | 'unknown' | 'other_account' | (string & {});
  after: number | null;
}

/** Who listens. The next frame waits for a promise; when it fails, the stream is begun anew before this frame. */
export interface Listener {
  event(event: CallEvent): void | Promise<void>;
  reset(reset: Reset): void | Promise<void>;
  connected(): void;
  disconnected(error: DialStackError | null, final: boolean): void;
}

export class EventStream {
  #last: string | null = null; // the number of the last event that was told
  #account: string | null = null;
  #current: AbortController | null = null;
  #wake: (() => void) | null = null;
  #stopped = false;
  #known: Array<() => void> = [];

  constructor(
    private readonly api: Api,
    private readonly query: () => string,
    private readonly listener: Listener,
    private readonly pace: Pace,
  ) {}

  /** Begin; once. */
  start(): this {
    globalThis.addEventListener?.('online', this.again);
    void this.#run();
    return this;
  }

  /** End for good. */
  stop(): void {
    this.#stopped = true;
    globalThis.removeEventListener?.('online', this.again);
    this.again();
    this.#settle();
  }

  /** Come again at once, from the same place: the query is another one, or the network is back. */
  readonly again = (): void => {
    this.#current?.abort();
    this.#wake?.();
  };

  /** Wait until the place in the stream is known, after which nothing can be missed; or until the time is over. */
  async placed(within: number): Promise<void> {
    if (this.#stopped || this.#last !== null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((known) => {
      this.#known.push(known);
      timer = setTimeout(known, within);
    });
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stopped) {
      const connection = (this.#current = new AbortController());
      let wait: number | null = null;
      let error: DialStackError | null = null;
      let heard = false;
      try {
        wait = await this.#follow(connection, () => {
          heard = true;
          this.listener.connected();
        });
      } catch (caught) {
        if (!connection.signal.aborted) error = asError(caught); // else we ended it ourselves, to begin anew
      }
      connection.abort();
      if (this.#stopped) return;
      failures = heard ? 0 : failures + 1;
      const final = error !== null && isFinal(error);
      if (heard || error !== null) this.listener.disconnected(error, final);
      if (final) this.stop();
      else if (wait !== null || error !== null || !heard) await this.#rest(wait ?? this.#delay(failures, error));
    }
  }

  /** Follow one connection to its end. Gives how long to wait before the next one, if the service said so. */
  async #follow(connection: AbortController, heard: () => void): Promise<number | null> {
    const session = this.api.session;
    const secret = await session.secret();
    const headers: Record<string, string> = { Authorization: `Bearer ${secret}`, Accept: 'text/event-stream' };
    if (this.#last !== null) headers['Last-Event-ID'] = this.#last;
    const cut = (): void => connection.abort();
    let silence = setTimeout(cut, this.pace.silence);
    const ahead = session.renewAt - Date.now();
    const renew = (): void => void session.secret().then((now) => now !== secret && cut(), () => {});
    const renewal = ahead < 2 ** 31 ? setTimeout(renew, ahead) : undefined;
    try {
      const signal = connection.signal;
      const request: RequestInit = { headers, signal, cache: 'no-store', credentials: 'omit' };
      const answer = await fetch(`${this.api.url}/v1/events?${this.query()}`, request);
      if (answer.status === 401) session.rejected(secret);
      if (!answer.ok || answer.body === null) throw await errorOf(answer);
      const frames = new Frames();
      const reader = answer.body.getReader();
      let retry: number | null = null;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return retry ?? this.#delay(1, null);
        clearTimeout(silence);
        silence = setTimeout(cut, this.pace.silence);
        for (const frame of frames.read(value)) {
          if (signal.aborted) return null;
          retry = frame.retry ?? retry;
          if (frame.event === 'closed' && frame.data.includes('session_ended')) session.rejected(secret);
          else if (!(await this.#take(frame, heard))) return null;
        }
      }
    } finally {
      clearTimeout(silence);
      clearTimeout(renewal);
    }
  }

  /** Take one frame; false if the stream must begin anew. */
  async #take(frame: Frame, heard: () => void): Promise<boolean> {
    const data: unknown = JSON.parse(frame.data);
    if (frame.event === 'connected') {
      heard();
      const account = (data as { account_id: string }).account_id;
      const other = this.#account !== null && account !== this.#account;
      this.#account = account;
      if (other && this.#last !== null) {
        this.#last = null; // numbers are an account's own: the place in the other one says nothing here
        await this.listener.reset({ reason: 'other_account', after: null });
        return false;
      }
      this.#last ??= frame.id;
    } else if (frame.event === 'reset') {
      await this.listener.reset(data as Reset);
      this.#last = frame.id;
    } else if (/^(call|leg)\./.test(frame.event)) {
      if (frame.id === null || !isAfter(frame.id, this.#last)) return true;
      await this.listener.event(data as CallEvent);
      this.#last = frame.id;
    }
    if (this.#last !== null) this.#settle();
    return true;
  }

  #settle(): void {
    for (const known of this.#known.splice(0)) known();
  }

  /** Longer with each attempt in vain, and for no two pages the same. */
  #delay(failures: number, error: DialStackError | null): number {
    const longest = Math.min(this.pace.most, this.pace.first * 2 ** Math.max(0, failures - 1));
    return Math.max((error?.retryAfter ?? 0) * 1000, longest * (0.5 + Math.random() / 2));
  }

  async #rest(wait: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((woken) => {
      this.#wake = woken;
      timer = setTimeout(woken, wait);
    });
    clearTimeout(timer);
    this.#wake = null;
  }
}

/** Whether one number of an event comes after another; they count beyond what a number of JavaScript holds exactly. */
function isAfter(id: string, last: string | null): boolean {
  return last === null || (id.length === last.length ? id > last : id.length > last.length);
}

/** Whether to ask again is in vain: what was asked for is not allowed, or nobody understands it. */
function isFinal(error: DialStackError): boolean {
  const status = error.status ?? 0;
  return status >= 400 && status < 500 && ![401, 408, 429].includes(status) && error.code !== 'unexpected_answer';
}

function asError(caught: unknown): DialStackError {
  if (caught instanceof DialStackError) return caught;
  return new DialStackError('connection_failed', 'The stream of events was cut', { cause: caught });
}
