/** What a button is about: the one call of a user to a number, from the click to the end, however many buttons show it. */

import { newKey } from './calls.js';
import type { DialStack } from './client.js';
import { DialStackError } from './errors.js';
import type { CallEvent, CallRecord, CallState, Reason } from './records.js';

/** `starting`: it is asked for. `calling`: the user's phones ring. `failed`: there is no call, and `error` tells why. */
export type Phase = 'idle' | 'starting' | 'calling' | 'dialling' | 'ringing' | 'talking' | 'ending' | 'ended' | 'failed';

/** What is known of it at a moment. */
export interface Standing {
  readonly phase: Phase;
  readonly callId: string | null;
  /** Why it ended. */
  readonly reason: Reason | null;
  /** Why there is no call; or, of one that lives, why nothing is heard of it. */
  readonly error: DialStackError | null;
  /** When both began to talk, by the clock of the page: ms since 1970. */
  readonly talkingSince: number | null;
  /** How long they talked, once it has ended: ms. */
  readonly talked: number | null;
  /** It was to be ended, and that failed. */
  readonly notEnded: boolean;
}

const IDLE: Standing = { phase: 'idle', callId: null, reason: null, error: null, talkingSince: null, talked: null, notEnded: false };
const OVER: readonly Phase[] = ['idle', 'ended', 'failed'];
const LOOK_AGAIN = 3_000; // ms between two looks at a call whose events cannot be had

const PHASES: Record<CallState, Phase> = {
  accepted: 'calling',
  ringing_user: 'calling',
  dialling_destination: 'dialling',
  ringing_destination: 'ringing',
  joining: 'ringing',
  talking: 'talking',
  playing_tone: 'ending',
  releasing: 'ending',
  ended: 'ended',
};

const known = new WeakMap<DialStack, Map<string, OneCall>>();

export class OneCall {
  standing: Standing = IDLE;
  #watchers = new Set<() => void>();
  #cancelled = false;
  #key: string | null = null; // of a call that may have been accepted although no answer came
  #leave: (() => void) | null = null;
  #looking: ReturnType<typeof setTimeout> | undefined;
  #ahead = Infinity; // ms that the clock of the page is before that of the service, and what the way of an event takes

  private constructor(
    private readonly dialstack: DialStack,
    private readonly user: string,
    private readonly number: string,
    private readonly forget: () => void,
  ) {}

  /** The one of this user and number. A button that is made anew while it lives shows the same call. */
  static of(dialstack: DialStack, user: string, number: string): OneCall {
    const calls = known.get(dialstack) ?? new Map<string, OneCall>();
    known.set(dialstack, calls);
    const name = `${user} ${number}`;
    const call = calls.get(name) ?? new OneCall(dialstack, user, number, () => calls.delete(name));
    calls.set(name, call);
    return call;
  }

  get live(): boolean {
    return !OVER.includes(this.standing.phase);
  }

  /** Be told of every change, until what is given is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => {
      this.#watchers.delete(changed);
      if (this.#watchers.size === 0 && !this.live && this.#key === null) this.forget();
    };
  }

  /** Ask for the call; nothing if there is one already. */
  async begin(metadata?: Record<string, string>): Promise<void> {
    if (this.live) return;
    this.#cancelled = false;
    this.#ahead = Infinity;
    const idempotencyKey = this.#key ?? newKey();
    this.#set({ ...IDLE, phase: 'starting' });
    try {
      const asked = { userId: this.user, dialString: this.number, idempotencyKey, ...(metadata && { metadata }) };
      const { id } = await this.dialstack.calls.create(asked);
      this.#key = null;
      this.#set({ callId: id, phase: this.#cancelled ? 'ending' : 'calling' });
      this.#follow(id);
      if (this.#cancelled) await this.cancel();
    } catch (caught) {
      const error = caught instanceof DialStackError ? caught : new DialStackError('unexpected_answer', String(caught));
      // Whoever clicks again asks for the same call: if it was accepted after all, nothing rings a second time.
      this.#key = error.uncertain ? idempotencyKey : null;
      this.#set({ phase: 'failed', error });
    }
  }

  /** End the call, whatever it is doing; also before it is known whether there is one. */
  async cancel(): Promise<void> {
    const { callId, phase } = this.standing;
    if (!this.live) return;
    this.#cancelled = true;
    this.#set({ phase: 'ending', notEnded: false });
    if (callId === null) return;
    try {
      await this.dialstack.calls.cancel(callId);
      if (this.standing.error !== null) void this.#look(callId);
    } catch {
      this.#cancelled = false;
      if (this.live) this.#set({ phase: phase === 'ending' ? 'calling' : phase, notEnded: true });
    }
  }

  #follow(id: string): void {
    this.#leave = this.dialstack.calls.follow(id, (event) => this.#hear(event), {
      legs: true,
      onConnected: () => this.#set({ error: null }),
      onError: (error, final) => {
        this.#set({ error });
        void this.#look(id, final);
      },
    });
  }

  #hear(event: CallEvent): void {
    const { type, data } = event;
    this.#ahead = Math.min(this.#ahead, Date.now() - (timeOf(event.created_at) ?? -Infinity));
    if (type === 'call.end') this.#over(data.reason ?? null, data.connected_at, data.ended_at ?? null);
    else if (type === 'call.initiated') this.#go('dialling');
    else if (type === 'call.answered') this.#talk(data.connected_at ?? event.created_at);
    else if (data.leg?.side === 'b' && /^leg\.(ringing|progress)$/.test(type) && this.standing.phase === 'dialling') this.#go('ringing');
  }

  /** Look at the record, when events cannot be had; again and again if they never can. */
  async #look(id: string, again = false): Promise<void> {
    clearTimeout(this.#looking);
    try {
      const record = await this.dialstack.calls.retrieve(id);
      if (!this.live || this.standing.callId !== id) return;
      this.#see(record);
      if (again) this.#set({ error: null });
    } catch (error) {
      if (error instanceof DialStackError && error.status === 404 && this.live) this.#over(null, null, null);
    }
    if (again && this.live) this.#looking = setTimeout(() => void this.#look(id, true), LOOK_AGAIN);
  }

  #see(record: CallRecord): void {
    if (record.state === 'ended') this.#over(record.reason, record.connected_at, record.ended_at);
    else if (record.state === 'talking') this.#talk(record.connected_at);
    else this.#go(PHASES[record.state]);
  }

  #go(phase: Phase): void {
    this.#set({ phase: this.#cancelled ? 'ending' : phase });
  }

  #talk(since: string | null): void {
    const began = timeOf(since);
    const talkingSince = began === null ? Date.now() : Math.min(Date.now(), began + (this.#ahead < Infinity ? this.#ahead : 0));
    this.#set({ phase: this.#cancelled ? 'ending' : 'talking', talkingSince: this.standing.talkingSince ?? talkingSince });
  }

  #over(reason: Reason | null, from: string | null, to: string | null): void {
    const [began, ended] = [timeOf(from), timeOf(to)];
    this.#leave?.();
    clearTimeout(this.#looking);
    const talked = began === null || ended === null ? null : Math.max(0, ended - began);
    this.#set({ phase: 'ended', reason, error: null, talked, notEnded: false });
    if (this.#watchers.size === 0) this.forget();
  }

  #set(change: Partial<Standing>): void {
    this.standing = { ...this.standing, ...change };
    for (const changed of [...this.#watchers]) changed();
  }
}

function timeOf(text: string | null): number | null {
  const time = text === null ? NaN : Date.parse(text);
  return Number.isNaN(time) ? null : time;
}
