/** What the elements have in common: how they read the page around them, and say things in it. */

/** The own property of an element, which it has no more afterwards. */
export function take(element: object, name: string): unknown {
  const value = Object.getOwnPropertyDescriptor(element, name)?.value as unknown;
  Reflect.deleteProperty(element, name);
  return value;
}

/** Only what changed: what is written again would be read out again. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** As clocks of calls have it: 0:07, 12:34, 1:02:03; with the unit where it could be the time of day. */
export function clockText(passed: number, withUnit = false): string {
  const seconds = Math.max(0, Math.floor(passed / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  const text = (hours > 0 ? `${hours}:${two(minutes)}` : String(minutes)) + `:${two(seconds % 60)}`;
  return withUnit ? `${text} ${hours > 0 ? 'h' : 'min'}` : text;
}

export function languageOf(element: Element): string {
  for (let at: Element | null = element; at !== null; ) {
    const named: Element | null = at.closest('[lang]');
    if (named !== null) return named.getAttribute('lang') ?? '';
    const root = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : null;
  }
  return globalThis.navigator?.language ?? 'en';
}

/** Ask the server of the page for a session. */
export async function openSession(url: string): Promise<string> {
  const answer = await fetch(url, { cache: 'no-store', headers: { Accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
}
