/**
 * `<c2c-softphone user="user_…">`: the page is a phone of this user.
 *
 * What it registers with: the property `fetchPhone`, or the attributes `api-url` and `session-url` (your route that gives a
 * session for the user; asked with GET and the cookies of the page). It is asked each time that the page begins, and kept nowhere.
 */

import { Api } from './api.js';
import { urlOf } from './client.js';
import { DialStackError } from './errors.js';
import { clockText, languageOf, openSession, say, take } from './page.js';
import { BrowserPhone, type FetchPhone, type PhoneAccess, type PhoneStanding } from './phone.js';
import { Ringing } from './ringing.js';
import { Session } from './session.js';
import { phoneTextsFor, type PhoneTexts } from './softphone-texts.js';

export { BrowserPhone } from './phone.js';
export type { FetchPhone, PhoneAccess, PhoneEnd, PhoneOptions, PhoneProblem, PhoneStanding, PhoneState } from './phone.js';

const STYLE = `
:host { display: inline-block; font: var(--c2c-font, inherit); color: inherit; max-width: 100%; }
:host([hidden]), [hidden] { display: none !important; }
section { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .75rem; }
.head, .buttons { display: flex; gap: .5rem .75rem; min-width: 0; }
.head { align-items: baseline; }
.buttons { flex-wrap: wrap; }
.dot { width: .75em; height: .75em; border-radius: 50%; flex: none; background: #767f88; }
.dot[data-state=ready], .dot[data-state=talking] { background: var(--c2c-background, #0a7a3d); }
.dot[data-state=ringing], .dot[data-state=answering] { background: #b26a00; animation: ring 1.2s ease-in-out infinite; }
.who { font-weight: 600; overflow-wrap: anywhere; }
.time { font-variant-numeric: tabular-nums; }
.who:empty, .time:empty, .alert:empty { display: none; }
.alert { flex-basis: 100%; color: #b3261e; color: var(--c2c-error-color, light-dark(#b3261e, #ffb4ab)); }
button {
  min-height: 2.75rem; padding: var(--c2c-padding, .25rem 1rem); border: 1px solid transparent;
  border-radius: var(--c2c-radius, .5rem); font: inherit; font-weight: 600; cursor: pointer;
  background: var(--c2c-background, #0a7a3d); color: var(--c2c-color, #fff);
}
button:hover { filter: brightness(1.1); }
button:focus-visible { outline: 3px solid var(--c2c-focus, Highlight); outline-offset: 2px; }
.end { background: var(--c2c-end-background, #b3261e); }
.plain { background: transparent; border-color: currentColor; color: inherit; }
.plain[aria-pressed=true] { background: #5a6570; border-color: transparent; color: #fff; }
@keyframes ring { 50% { opacity: .35; } }
@media (prefers-reduced-motion: reduce) { .dot { animation: none !important; } }
@media (forced-colors: active) { button { border-color: ButtonText; } .dot { background: CanvasText !important; } }
`;
const TIMEOUT = 10_000; // ms that the service may take

// Where there is no browser, as on a server that renders pages, the class is there and does nothing.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

export class C2cSoftphone extends Base {
  static readonly observedAttributes = ['lang', 'user'];

  /** STUN and TURN servers, where page and Asterisk do not reach one another directly. Counts from the next call. */
  declare iceServers: RTCIceServer[];
  #fetchPhone: FetchPhone | null = null;
  #phone: BrowserPhone | null = null;
  #parts: Parts | null = null;
  #ringing = new Ringing();
  #clock: ReturnType<typeof setInterval> | undefined;
  #gone = (): void => this.#phone?.stop();
  #back = ({ persisted }: PageTransitionEvent): void => void (persisted && this.connect());

  constructor() {
    super();
    // What a page set before this class was there stands on the element itself, and hides what the class has.
    this.#fetchPhone = (take(this, 'fetchPhone') as FetchPhone | undefined) ?? null;
    this.iceServers = (take(this, 'iceServers') as RTCIceServer[] | undefined) ?? [];
  }

  /** Gives what the page registers with: the answer of `POST /v1/users/:id/browser_phone`. */
  get fetchPhone(): FetchPhone | null {
    return this.#fetchPhone;
  }

  set fetchPhone(fetchPhone: FetchPhone | null) {
    this.#fetchPhone = fetchPhone;
    if (this.isConnected) this.connect();
  }

  get user(): string {
    return this.getAttribute('user') ?? '';
  }

  set user(user: string) {
    this.setAttribute('user', user);
  }

  get standing(): PhoneStanding | null {
    return this.#phone?.standing ?? null;
  }

  /** Where the other is heard: for its volume, or another loudspeaker (`setSinkId`). */
  get audio(): HTMLAudioElement | null {
    return this.#parts?.audio ?? null;
  }

  connectedCallback(): void {
    if (this.#parts === null) {
      const parts = build(this.attachShadow({ mode: 'open' }));
      parts.answer.addEventListener('click', () => void this.answer());
      parts.decline.addEventListener('click', () => this.decline());
      parts.hangUp.addEventListener('click', () => this.hangUp());
      parts.mute.addEventListener('click', () => this.mute(!this.standing?.muted));
      parts.connect.addEventListener('click', () => this.connect());
      this.#parts = parts;
    }
    globalThis.addEventListener('pagehide', this.#gone);
    globalThis.addEventListener('pageshow', this.#back);
    this.#show();
    if (this.#fetchPhone !== null || this.hasAttribute('session-url')) this.connect();
  }

  disconnectedCallback(): void {
    globalThis.removeEventListener('pagehide', this.#gone);
    globalThis.removeEventListener('pageshow', this.#back);
    this.disconnect();
    this.#ringing.stop();
    clearInterval(this.#clock);
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.isConnected || before === now) return;
    if (name === 'user' && this.#phone !== null) this.connect();
    this.#show();
  }

  /** Be the phone: also after another page has become it. */
  connect(): void {
    if (this.#parts === null) return;
    const element = this;
    this.#phone ??= new BrowserPhone({
      fetchPhone: () => (this.#fetchPhone ?? (() => this.#ask()))(),
      get iceServers() {
        return element.iceServers;
      },
      audio: this.#parts.audio,
      changed: (standing) => this.#changed(standing),
    });
    this.#phone.start();
  }

  /** Be no phone any more. */
  disconnect(): void {
    this.#phone?.stop();
  }

  async answer(): Promise<void> {
    await this.#phone?.answer();
  }

  decline(): void {
    this.#phone?.decline();
  }

  hangUp(): void {
    this.#phone?.hangUp();
  }

  mute(muted: boolean): void {
    this.#phone?.mute(muted);
  }

  /** Ask the service, with the session that the attributes lead to. */
  async #ask(): Promise<PhoneAccess> {
    const session = this.getAttribute('session-url');
    if (session === null) {
      const what = '<c2c-softphone> needs the property fetchPhone, or the attribute session-url';
      throw new DialStackError('invalid_argument', what, { field: 'sessionUrl', status: 400 });
    }
    const url = urlOf(this.getAttribute('api-url') ?? undefined);
    const api = new Api(url, new Session(() => openSession(session), TIMEOUT), TIMEOUT);
    const device = this.getAttribute('device');
    const answer = await api.ask('POST', `/v1/users/${encodeURIComponent(this.user)}/browser_phone`, {
      body: device === null ? {} : { device_id: device },
    });
    return (await answer.json()) as PhoneAccess;
  }

  #changed(standing: PhoneStanding): void {
    if (standing.state === 'ringing' && !this.hasAttribute('silent')) this.#ringing.start();
    else this.#ringing.stop();
    this.#show();
    this.dispatchEvent(new CustomEvent<PhoneStanding>('phonechange', { detail: standing, bubbles: true, composed: true }));
  }

  #show(): void {
    const parts = this.#parts;
    if (parts === null) return;
    const standing = this.standing;
    const state = standing?.state ?? 'offline';
    const { texts, language } = phoneTextsFor(languageOf(this));
    const held = this.shadowRoot?.activeElement;
    parts.root.lang = language;
    parts.root.setAttribute('aria-label', texts.label);
    parts.dot.dataset['state'] = standing?.online === false && state === 'ready' ? 'connecting' : state;
    say(parts.who, whoText(standing));
    say(parts.status, state === 'ended' ? texts.ended[standing?.end ?? 'ended'] : texts.states[state]);
    say(parts.alert, alertText(texts, standing));
    const connect = state === 'replaced' || (state === 'offline' && standing?.problem != null);
    name(parts.answer, texts.answer, state === 'ringing');
    name(parts.decline, texts.decline, state === 'ringing');
    name(parts.hangUp, texts.hangUp, state === 'talking' || state === 'answering');
    name(parts.mute, texts.mute, state === 'talking');
    name(parts.connect, state === 'replaced' ? texts.useHere : texts.tryAgain, connect);
    parts.mute.setAttribute('aria-pressed', String(standing?.muted ?? false));
    // Else the keyboard would begin at the top of the page.
    if (held instanceof HTMLElement && held.hidden) (parts.buttons.find((one) => !one.hidden) ?? parts.root).focus();
    if (this.getAttribute('state') !== state) this.setAttribute('state', state);
    this.#showTime(standing);
  }

  #showTime(standing: PhoneStanding | null): void {
    clearInterval(this.#clock);
    const show = (): void => {
      const { state, talkingSince, talked } = standing ?? {};
      const passed = state === 'talking' && talkingSince ? Date.now() - talkingSince : state === 'ended' ? talked : null;
      say(this.#parts!.time, passed == null ? '' : clockText(passed));
    };
    show();
    if (standing?.state === 'talking') this.#clock = setInterval(show, 500);
  }
}

interface Parts {
  root: HTMLElement;
  dot: HTMLElement;
  who: HTMLElement;
  status: HTMLElement;
  time: HTMLElement;
  alert: HTMLElement;
  answer: HTMLButtonElement;
  decline: HTMLButtonElement;
  hangUp: HTMLButtonElement;
  mute: HTMLButtonElement;
  connect: HTMLButtonElement;
  buttons: HTMLButtonElement[];
  audio: HTMLAudioElement;
}

/** What stands inside. Nothing is written as HTML, and no `<style>`: it works under the strictest content policy. */
function build(shadow: ShadowRoot): Parts {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];
  const root = make('section', 'root');
  const [dot, who, status, time, alert] = [
    make('span', 'dot'),
    make('bdi', 'who'), // a number reads from left to right in a page that does not
    make('span', 'status'),
    make('span', 'time'),
    make('span', 'alert'),
  ];
  const button = (part: string, kind = ''): HTMLButtonElement => {
    const made = make('button', part);
    made.type = 'button';
    made.className = kind;
    return made;
  };
  const [answer, decline, hangUp] = [button('answer'), button('decline', 'end'), button('hang-up', 'end')];
  const [mute, connect] = [button('mute', 'plain'), button('connect', 'plain')];
  const buttons = [answer, decline, mute, hangUp, connect];
  const audio = document.createElement('audio');
  const said = document.createElement('span');
  audio.autoplay = true;
  dot.className = 'dot';
  who.className = 'who';
  time.className = 'time';
  alert.className = 'alert';
  root.tabIndex = -1;
  root.setAttribute('role', 'group'); // no landmark: a page may have several phones
  dot.setAttribute('aria-hidden', 'true');
  said.setAttribute('role', 'status');
  said.setAttribute('aria-live', 'assertive'); // a call that comes in cannot wait
  said.setAttribute('aria-atomic', 'true');
  alert.setAttribute('role', 'alert');
  time.setAttribute('role', 'timer'); // which is not read out every second
  said.append(status, ' ', who);
  const [head, actions] = [make('div', 'head'), make('div', 'buttons')];
  head.className = 'head';
  actions.className = 'buttons';
  head.append(dot, said, time);
  actions.append(...buttons);
  root.append(head, actions, alert, audio);
  shadow.append(root);
  return { root, dot, who, status, time, alert, answer, decline, hangUp, mute, connect, buttons, audio };
}

function make<Name extends 'section' | 'div' | 'button' | 'span' | 'bdi'>(name: Name, part: string): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.setAttribute('part', part);
  return element;
}

function name(button: HTMLButtonElement, text: string, there: boolean): void {
  say(button, text);
  button.hidden = !there;
}

/** The name and the number; once, if the name is the number. */
function whoText(standing: PhoneStanding | null): string {
  if (standing === null) return '';
  const { name, number } = standing;
  return [...new Set([name, number])].filter((text) => text !== '' && text !== 'anonymous').join(' · ');
}

function alertText(texts: PhoneTexts, standing: PhoneStanding | null): string {
  if (standing === null) return '';
  if (standing.problem === 'unreachable' && standing.state === 'talking') return texts.cutOff;
  return standing.problem === null ? '' : texts.problems[standing.problem];
}

if (globalThis.customElements !== undefined && customElements.get('c2c-softphone') === undefined) {
  customElements.define('c2c-softphone', C2cSoftphone);
}

declare global {
  interface HTMLElementTagNameMap {
    'c2c-softphone': C2cSoftphone;
  }
  interface HTMLElementEventMap {
    phonechange: CustomEvent<PhoneStanding>;
  }
}
