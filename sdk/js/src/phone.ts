/** A page that is a phone: registered over Asterisk's websocket, with one call at a time. */

import { UA, WebSocketInterface, type Ended as SipEnd, type Session as SipSession } from './jssip.js';

/** What the page registers with: the answer of `POST /v1/users/:id/browser_phone`. */
export interface PhoneAccess {
  websocket_url: string;
  uri: string;
  username: string;
  password: string;
  name?: string;
}
export type FetchPhone = () => Promise<PhoneAccess> | PhoneAccess;

/** `replaced`: another page of the same device is the phone now. */
export type PhoneState = 'offline' | 'connecting' | 'replaced' | 'ready' | 'ringing' | 'answering' | 'talking' | 'ended';
/** `missed`: the caller gave up. `elsewhere`: another phone of the user has the call, which so is no missed one. */
export type PhoneEnd = 'ended' | 'missed' | 'elsewhere' | 'declined' | 'failed';
export type PhoneProblem = 'access' | 'unreachable' | 'refused' | 'microphone';

export interface PhoneStanding {
  readonly state: PhoneState;
  /** Whether calls come in: it is registered. */
  readonly online: boolean;
  /** Whom the call is with, as the service shows it: the destination. */
  readonly name: string;
  readonly number: string;
  readonly muted: boolean;
  /** Milliseconds since 1970, while the two talk. */
  readonly talkingSince: number | null;
  /** Milliseconds that they talked, after that. */
  readonly talked: number | null;
  readonly end: PhoneEnd | null;
  readonly problem: PhoneProblem | null;
}

export interface PhoneOptions {
  fetchPhone: FetchPhone;
  /** STUN and TURN servers, none if it is left out: enough where page and Asterisk reach one another. */
  iceServers?: RTCIceServer[];
  /** Where the other is heard. */
  audio: HTMLAudioElement;
  changed: (standing: PhoneStanding) => void;
}

const EXPIRES = 120; // s: how long Asterisk believes in a page that is gone without a word
const SHORTEST_PAUSE = 1; // s until the socket is tried again; JsSIP makes it longer each time
const LONGEST_PAUSE = 30; // s
const TRIES = [1_000, 2_000, 4_000, 8_000, 16_000]; // ms: Asterisk may be given the new password a moment later than the page
const REGISTER_AGAIN = 10_000; // ms after Asterisk was too busy for it
const FETCH_AGAIN = [2_000, 5_000, 10_000, 20_000, 30_000]; // ms; the last one again and again
const GATHERING = 1_000; // ms after the newest candidate: a STUN server that is silent shall not hold an answer up
const LONGEST_RINGING = 600; // s; the service says when to end
const DECLINED = 603; // RFC 3261 21.6.2
const BUSY = 486;

const IDLE = { name: '', number: '', muted: false, talkingSince: null, talked: null, end: null } as const;

export class BrowserPhone {
  #options: PhoneOptions;
  #standing: PhoneStanding = { state: 'offline', online: false, ...IDLE, problem: null };
  #ua: UA | null = null;
  #turn = 0; // of start and stop: what an older one still hears counts no more
  #registeredOnce = false;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #session: SipSession | null = null;
  #stream: MediaStream | null = null;
  #displaced = false; // during a call
  #others: BroadcastChannel | null = null;
  #me = Math.random().toString(36);

  constructor(options: PhoneOptions) {
    this.#options = options;
  }

  get standing(): PhoneStanding {
    return this.#standing;
  }

  get #busy(): boolean {
    return this.#session !== null;
  }

  /** Be the phone from now on; whichever page was it is it no more. */
  start(): void {
    this.stop();
    this.#set({ state: 'connecting', online: false, ...IDLE, problem: null });
    void this.#open(++this.#turn, 0);
  }

  /** Be no phone any more: a call is ended, and Asterisk told. */
  stop(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#close();
    this.#release();
    this.#session = null;
    this.#set({ state: 'offline', online: false, ...IDLE, problem: null });
  }

  /** Take the call that rings. It goes on ringing when there is no microphone. */
  async answer(): Promise<void> {
    const session = this.#session;
    if (session === null || this.#standing.state !== 'ringing') return;
    this.#set({ state: 'answering', problem: null });
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      console.error(error);
      if (this.#session === session) this.#set({ state: 'ringing', problem: 'microphone' });
      return;
    }
    if (this.#session !== session) return end(stream); // the caller gave up meanwhile
    this.#stream = stream;
    try {
      session.answer({ mediaStream: stream, pcConfig: { iceServers: this.#options.iceServers ?? [] } });
    } catch (error) {
      console.error(error);
      this.#over('failed');
    }
  }

  decline(): void {
    if (this.#standing.state !== 'ringing') return;
    this.#session?.terminate({ status_code: DECLINED });
  }

  hangUp(): void {
    if (this.#standing.state === 'ringing') return this.decline();
    this.#session?.terminate();
  }

  mute(muted: boolean): void {
    if (this.#session === null || this.#standing.state !== 'talking') return;
    if (muted) this.#session.mute({ audio: true });
    else this.#session.unmute({ audio: true });
    this.#set({ muted });
  }

  /** Ask for what to register with, until it comes, and register. */
  async #open(turn: number, attempt: number): Promise<void> {
    let access: PhoneAccess;
    try {
      access = await this.#options.fetchPhone();
      if (turn !== this.#turn) return;
      this.#register(turn, access);
    } catch (error) {
      if (turn !== this.#turn) return;
      console.error(error);
      this.#set({ state: 'offline', online: false, problem: 'access' });
      if (isFinal(error)) return;
      const pause = FETCH_AGAIN[Math.min(attempt, FETCH_AGAIN.length - 1)];
      this.#timer = setTimeout(() => void this.#open(turn, attempt + 1), pause);
    }
  }

  #register(turn: number, access: PhoneAccess): void {
    const ua = new UA({
      sockets: [new WebSocketInterface(access.websocket_url)],
      uri: access.uri,
      authorization_user: access.username,
      password: access.password,
      register_expires: EXPIRES,
      no_answer_timeout: LONGEST_RINGING,
      connection_recovery_min_interval: SHORTEST_PAUSE,
      connection_recovery_max_interval: LONGEST_PAUSE,
      user_agent: 'c2c-softphone',
      ...(access.name && { display_name: access.name }),
    });
    const mine = <T>(handler: (event: T) => void) => (event: T): void => {
      if (turn === this.#turn) handler(event);
    };
    this.#registeredOnce = this.#displaced = false;
    this.#tries = 0;
    this.#ua = ua;
    ua.on('registered', mine(() => this.#registered(access)));
    ua.on('disconnected', mine(() => this.#away('unreachable')));
    ua.on('unregistered', mine(() => this.#away(null)));
    ua.on('registrationFailed', mine(({ response }) => this.#refused(response?.status_code ?? 0)));
    ua.on('newRTCSession', mine(({ originator, session }) => originator === 'remote' && this.#comes(session)));
    ua.start();
  }

  #registered(access: PhoneAccess): void {
    if (!this.#registeredOnce) this.#tellOthers(access.username);
    this.#registeredOnce = true;
    this.#tries = 0;
    this.#set({ online: true, problem: null });
    if (!this.#busy && this.#standing.state !== 'ended') this.#set({ state: 'ready' });
  }

  #away(problem: PhoneProblem | null): void {
    this.#set({ online: false, problem });
    if (!this.#busy) this.#set({ state: 'connecting' });
  }

  /** The password is wrong: at first it may just be too new; later, another page has been given one. */
  #refused(status: number): void {
    if (status !== 401 && status !== 403) {
      this.#timer = setTimeout(() => this.#ua?.isConnected() && this.#ua.register(), REGISTER_AGAIN);
      return this.#away('unreachable'); // and JsSIP registers when the socket is back
    }
    if (this.#registeredOnce) return this.#replaced();
    const pause = TRIES[this.#tries++];
    if (pause === undefined) {
      this.#close();
      return this.#set({ state: 'offline', online: false, problem: 'refused' });
    }
    this.#timer = setTimeout(() => this.#ua?.register(), pause);
  }

  /** It does not ask for another password: the two pages would take the phone from one another for ever. */
  #replaced(): void {
    this.#displaced = this.#busy;
    this.#set({ online: false, problem: null });
    if (this.#busy) return; // the call goes on
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#close();
    this.#set({ state: 'replaced', ...IDLE });
  }

  #tellOthers(username: string): void {
    if (typeof BroadcastChannel === 'undefined') return;
    this.#others?.close();
    this.#others = new BroadcastChannel(`c2c-softphone ${username}`);
    this.#others.onmessage = ({ data }) => data !== this.#me && this.#replaced();
    this.#others.postMessage(this.#me);
  }

  #close(): void {
    this.#others?.close();
    this.#others = null;
    this.#ua?.stop();
    this.#ua = null;
  }

  #comes(session: SipSession): void {
    if (this.#busy) return session.terminate({ status_code: BUSY });
    const { display_name: name, uri } = session.remote_identity;
    this.#session = session;
    const mine = <T>(handler: (event: T) => void) => (event: T): void => {
      if (this.#session === session) handler(event);
    };
    session.on('accepted', mine(() => this.#set({ state: 'talking', talkingSince: Date.now() })));
    session.on('failed', mine((how) => this.#over(endOf(how))));
    session.on('ended', mine(() => this.#over('ended')));
    session.on('peerconnection', mine(({ peerconnection }) => this.#hear(session, peerconnection)));
    let gathering: ReturnType<typeof setTimeout> | undefined;
    session.on('icecandidate', ({ ready }) => {
      clearTimeout(gathering);
      gathering = setTimeout(ready, GATHERING);
    });
    this.#set({ ...IDLE, state: 'ringing', name: name ?? '', number: uri.user ?? '', problem: null });
  }

  #hear(session: SipSession, connection: RTCPeerConnection): void {
    connection.addEventListener('track', ({ streams, track }) => {
      const { audio } = this.#options;
      audio.srcObject = streams[0] ?? new MediaStream([track]);
      audio.play().catch((error: unknown) => console.error(error));
    });
    connection.addEventListener('connectionstatechange', () => {
      // Without a socket nobody tells that the other side hung up.
      if (connection.connectionState === 'failed' && this.#session === session) session.terminate();
    });
  }

  #over(end: PhoneEnd): void {
    const { talkingSince } = this.#standing;
    this.#release();
    this.#session = null;
    const talked = talkingSince === null ? null : Date.now() - talkingSince;
    this.#set({ state: 'ended', end, muted: false, talkingSince: null, talked, problem: null });
    if (this.#displaced) this.#replaced();
  }

  #release(): void {
    if (this.#stream !== null) end(this.#stream);
    this.#stream = null;
    this.#options.audio.srcObject = null;
  }

  #set(changes: Partial<PhoneStanding>): void {
    const before = this.#standing;
    this.#standing = { ...before, ...changes };
    const names = Object.keys(changes) as (keyof PhoneStanding)[];
    if (names.some((name) => before[name] !== this.#standing[name])) this.#options.changed(this.#standing);
  }
}

/** How a call that was not answered ended. Asterisk says why it cancels: RFC 3326. */
export function endOf({ originator, message }: Pick<SipEnd, 'originator' | 'message'>): PhoneEnd {
  if (originator === 'local') return 'declined';
  const reason = message?.hasHeader('Reason') ? (message.getHeader('Reason') ?? '') : '';
  if (/Q\.850\s*;\s*cause\s*=\s*26\b|SIP\s*;\s*cause\s*=\s*200\b/i.test(reason)) return 'elsewhere';
  return originator === 'remote' ? 'missed' : 'failed';
}

function end(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** Whether the same request would be refused again: there is no such device, or it is not allowed. */
function isFinal(error: unknown): boolean {
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === 'number' && status >= 400 && status < 500 && status !== 408 && status !== 429;
}
