/**
 * `<click-to-call-button number="+15551234567" user="user_…">`: a click rings the user's phones and then dials.
 *
 * Where calls are placed: the property `dialstack`, of one button or for all (`ClickToCallButton.dialstack`), or the attributes
 * `api-url` and `session-url` (your route that gives a session; asked with GET and the cookies of the page).
 */

import { DialStack, loadDialStack } from './client.js';
import { DialStackError } from './errors.js';
import { OneCall, type Phase, type Standing } from './one-call.js';
import { clockText, languageOf, openSession, say, take } from './page.js';
import { errorText, textsFor, type Texts } from './texts.js';

export type { Phase, Standing } from './one-call.js';

const STYLE = `
:host { display: inline-block; font: var(--c2c-font, inherit); color: inherit; max-width: 100%; }
:host([hidden]) { display: none; }
div { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .5rem; }
button {
  display: inline-flex; align-items: center; gap: .5em; min-height: 2.75rem; padding: var(--c2c-padding, .25rem 1rem);
  border: 1px solid transparent; border-radius: var(--c2c-radius, .5rem); font: inherit; font-weight: 600; cursor: pointer;
  background: var(--c2c-background, #0a7a3d); color: var(--c2c-color, #fff);
}
button:hover { filter: brightness(1.1); }
button:focus-visible { outline: 3px solid var(--c2c-focus, Highlight); outline-offset: 2px; }
button[hidden] { display: none; }
button[aria-disabled=true] { cursor: default; filter: none; background: var(--c2c-busy-background, #5a6570); }
.cancel, .cancel:hover {
  background: transparent; border-color: currentColor; color: #b3261e;
  color: var(--c2c-cancel-color, light-dark(#b3261e, #ffb4ab));
}
svg { width: 1.1em; height: 1.1em; flex: none; fill: currentColor; }
:dir(rtl) svg { transform: scaleX(-1); }
.alert:not(:empty) { color: #b3261e; color: var(--c2c-error-color, light-dark(#b3261e, #ffb4ab)); }
div:dir(rtl) > span { text-align: right; }
.time { font-variant-numeric: tabular-nums; }
.ring { animation: ring 1.2s ease-in-out infinite; }
@keyframes ring { 50% { opacity: .35; } }
@media (prefers-reduced-motion: reduce) { .ring { animation: none; } }
@media (forced-colors: active) { button { border-color: ButtonText; } }
`;
const HANDSET =
  'M6.6 10.8a15.1 15.1 0 0 0 6.6 6.6l2.2-2.2a1 1 0 0 1 1-.25 11.4 11.4 0 0 0 3.6.57 1 1 0 0 1 1 1V20a1 1 0 0 1-1 1A17 17 0 0 1 3 4a1 1 0 0 1 1-1h3.5a1 1 0 0 1 1 1c0 1.25.2 2.45.57 3.57a1 1 0 0 1-.25 1z';
const BUSY: readonly Phase[] = ['starting', 'calling', 'dialling', 'ringing'];

/** Who places calls for these addresses: one for all buttons of the page. */
const shared = new Map<string, Promise<DialStack>>();

// Where there is no browser, as on a server that renders pages, the class is there and does nothing.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

export class ClickToCallButton extends Base {
  static readonly observedAttributes = ['number', 'user', 'lang'];
  /** Places the calls of all buttons that have none of their own. */
  static dialstack: DialStack | null = null;

  /** Texts for the record of the call. */
  declare metadata: Record<string, string> | null; // not a field, which would hide what a page set before
  #dialstack: DialStack | null = null;
  #call: OneCall | null = null;
  #unwatch: (() => void) | null = null;
  #parts: Parts | null = null;
  #shown: Standing | null = null;
  #refused: DialStackError | null = null; // nobody is there to place calls
  #opening = false;
  #early: Record<string, unknown>;
  #clock: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    // What a page set before this class was there stands on the element itself, and hides what the class has.
    const early = Object.fromEntries(['dialstack', 'metadata', 'number', 'user'].map((name) => [name, take(this, name)]));
    this.metadata = (early['metadata'] as Record<string, string> | undefined) ?? null;
    this.#dialstack = (early['dialstack'] as DialStack | undefined) ?? null;
    this.#early = early;
  }

  /** Places the calls of this button. */
  get dialstack(): DialStack | null {
    return this.#dialstack ?? ClickToCallButton.dialstack;
  }

  set dialstack(dialstack: DialStack | null) {
    this.#dialstack = dialstack;
    this.#adopt();
  }

  get number(): string {
    return this.getAttribute('number') ?? '';
  }

  set number(number: string) {
    this.setAttribute('number', number);
  }

  get user(): string {
    return this.getAttribute('user') ?? '';
  }

  set user(user: string) {
    this.setAttribute('user', user);
  }

  /** Where its call is. */
  get phase(): Phase {
    if (this.#opening) return 'starting';
    if (this.#refused !== null) return 'failed';
    return this.#call?.standing.phase ?? 'idle';
  }

  connectedCallback(): void {
    const { number, user } = this.#early;
    this.#early = {}; // no attribute may be set before
    if (typeof number === 'string') this.number = number;
    if (typeof user === 'string') this.user = user;
    if (this.#parts === null) {
      this.#parts = build(this.attachShadow({ mode: 'open', delegatesFocus: true }));
      this.#parts.button.addEventListener('click', () => void this.call());
      this.#parts.cancel.addEventListener('click', () => void this.cancel());
      this.addEventListener('keydown', (event) => {
        if (event.key !== 'Escape' || !BUSY.includes(this.phase)) return;
        event.stopPropagation(); // a dialog around it stays open
        event.preventDefault();
        void this.cancel();
      });
    }
    this.#adopt();
  }

  disconnectedCallback(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    clearInterval(this.#clock);
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.#adopt();
  }

  /** What a click does: place the call, unless there is one already. */
  async call(): Promise<void> {
    if (this.#opening || this.#call?.live) return;
    this.#refused = null;
    this.#opening = true;
    this.#show();
    try {
      this.#dialstack = this.dialstack ?? (await this.#load());
    } catch (error) {
      this.#refused = error instanceof DialStackError ? error : new DialStackError('session_failed', String(error));
      console.error(error);
    }
    this.#opening = false;
    this.#adopt();
    await this.#call?.begin(this.metadata ?? undefined);
  }

  /** What a click on Cancel or Hang up does. */
  async cancel(): Promise<void> {
    await this.#call?.cancel();
  }

  /** Whoever places calls for the addresses in the attributes. */
  #load(): Promise<DialStack> {
    const [api, session] = [this.getAttribute('api-url') ?? '', this.getAttribute('session-url')];
    if (session === null) {
      const what = '<click-to-call-button> needs the property dialstack, or the attribute session-url';
      throw new DialStackError('invalid_argument', what, { field: 'sessionUrl' });
    }
    const name = `${api} ${session}`;
    const loaded = shared.get(name) ?? loadDialStack('pk_live_button', { ...(api && { apiUrl: api }), fetchClientSecret: () => openSession(session) });
    shared.set(name, loaded);
    return loaded;
  }

  /** Be about the call of this user and number; one that lives is shown to its end before. */
  #adopt(): void {
    if (!this.isConnected) return;
    const dialstack = this.dialstack;
    if (!this.#call?.live) {
      const call = dialstack !== null && this.#refused === null ? OneCall.of(dialstack, this.user, this.number) : null;
      if (call !== this.#call) this.#unwatch?.();
      if (call !== this.#call) this.#unwatch = null;
      this.#call = call;
    }
    this.#unwatch ??= this.#call?.watch(() => this.#show()) ?? null;
    this.#show();
  }

  #show(): void {
    const parts = this.#parts;
    if (parts === null || !this.isConnected) return;
    const standing = this.#call?.standing ?? null;
    const phase = this.phase;
    const { texts, language } = textsFor(languageOf(this));
    const busy = this.#opening || Boolean(this.#call?.live);
    const talking = phase === 'talking';
    parts.root.lang = language;
    parts.word.textContent = texts.call;
    parts.button.setAttribute('aria-label', this.textContent?.trim() || texts.callNumber(this.number));
    parts.button.setAttribute('aria-disabled', String(busy));
    parts.icon.classList.toggle('ring', BUSY.includes(phase));
    parts.cancel.textContent = talking ? texts.hangUp : texts.cancel;
    const held = this.shadowRoot?.activeElement === parts.cancel;
    parts.cancel.hidden = !busy || phase === 'ending' || this.#opening;
    if (held && parts.cancel.hidden) parts.button.focus(); // else the keyboard would begin at the top of the page
    say(parts.status, statusText(texts, phase, standing));
    say(parts.alert, alertText(texts, this.#refused, standing));
    this.#showTime(standing);
    if (this.getAttribute('phase') !== phase) this.setAttribute('phase', phase);
    if (standing === null || standing === this.#shown) return;
    const first = this.#shown === null && phase === 'idle';
    this.#shown = standing;
    if (!first) {
      this.dispatchEvent(new CustomEvent<Standing>('callchange', { detail: standing, bubbles: true, composed: true }));
    }
  }

  #showTime(standing: Standing | null): void {
    clearInterval(this.#clock);
    const show = (): void => {
      const { phase, talkingSince, talked } = standing ?? {};
      const passed = phase === 'talking' && talkingSince ? Date.now() - talkingSince : phase === 'ended' ? talked : null;
      say(this.#parts!.time, passed == null ? '' : clockText(passed, phase === 'ended'));
    };
    show();
    if (standing?.phase === 'talking') this.#clock = setInterval(show, 500);
  }
}

interface Parts {
  root: HTMLElement;
  button: HTMLButtonElement;
  icon: Element;
  word: HTMLElement;
  cancel: HTMLButtonElement;
  status: HTMLElement;
  time: HTMLElement;
  alert: HTMLElement;
}

/** What stands inside. Nothing is written as HTML, and no `<style>`: it works under the strictest content policy. */
function build(shadow: ShadowRoot): Parts {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];
  const root = make('div', 'root');
  const button = make('button', 'button');
  const cancel = make('button', 'cancel');
  const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  const slot = document.createElement('slot');
  const [status, time, alert] = [make('span', 'status'), make('span', 'time'), make('span', 'alert')];
  icon.setAttribute('viewBox', '0 0 24 24');
  icon.setAttribute('aria-hidden', 'true');
  icon.setAttribute('part', 'icon');
  path.setAttribute('d', HANDSET);
  icon.append(path);
  button.type = cancel.type = 'button';
  cancel.className = 'cancel';
  alert.className = 'alert';
  time.className = 'time';
  status.setAttribute('role', 'status');
  alert.setAttribute('role', 'alert');
  time.setAttribute('role', 'timer'); // which is not read out every second
  const line = document.createElement('span');
  line.append(status, ' ', time); // as one text, so that the time does not stand alone in a line
  line.dir = alert.dir = 'ltr'; // as all of our languages are, also on a page that is not
  const word = document.createElement('span');
  slot.append(word);
  button.append(icon, slot);
  root.append(button, cancel, line, alert);
  shadow.append(root);
  return { root, button, icon, word, cancel, status, time, alert };
}

function make<Name extends 'div' | 'button' | 'span'>(name: Name, part: string): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.setAttribute('part', part);
  return element;
}

function statusText(texts: Texts, phase: Phase, standing: Standing | null): string {
  if (phase === 'idle' || phase === 'failed') return '';
  if (phase === 'ended') return standing?.reason ? texts.ended[standing.reason] ?? texts.unknown : texts.unknown;
  return texts[phase];
}

function alertText(texts: Texts, refused: DialStackError | null, standing: Standing | null): string {
  if (refused !== null) return errorText(texts, refused);
  if (standing === null) return '';
  if (standing.notEnded) return texts.notEnded;
  if (standing.error === null) return '';
  return standing.phase === 'failed' ? errorText(texts, standing.error) : texts.offline;
}

if (globalThis.customElements !== undefined && customElements.get('click-to-call-button') === undefined) {
  customElements.define('click-to-call-button', ClickToCallButton);
}

declare global {
  interface HTMLElementTagNameMap {
    'click-to-call-button': ClickToCallButton;
  }
  interface HTMLElementEventMap {
    callchange: CustomEvent<Standing>;
  }
}
