/** The session of a page: asked for when it is needed, and anew before it is over. */

import { DialStackError, isObject } from './errors.js';

/** What your server gave: the secret itself, or the answer of the service that holds it. */
export type ClientSecret = string | { client_secret: string; expires_at?: string } | { clientSecret: string; expiresAt?: string };
export type FetchClientSecret = () => Promise<ClientSecret> | ClientSecret;

const BEFORE_THE_END = 60_000; // ms; or a tenth of its life, if that is less
const TRY_AGAIN = 10_000; // ms until a new one is asked for again, while the present one is still good

export class Session {
  /** When a new one is due, in ms since 1970. */
  renewAt = Infinity;
  #fetchClientSecret: FetchClientSecret;
  #secret: string | null = null;
  #endsAt = Infinity;
  #fetching: Promise<string> | null = null;

  #timeout: number;

  constructor(fetchClientSecret: FetchClientSecret, timeout: number) {
    this.#fetchClientSecret = fetchClientSecret;
    this.#timeout = timeout;
  }

  /** A secret that counts, as far as is known. Whoever asks while one is being fetched gets that one. */
  async secret(): Promise<string> {
    if (this.#secret !== null && Date.now() < this.renewAt) return this.#secret;
    this.#fetching ??= this.#renew().finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  /** The service did not take this secret; the next one who asks gets a new one. */
  rejected(secret: string): void {
    if (secret === this.#secret) this.#secret = null;
  }

  /** What your server gives, unless that takes too long: nobody shall wait for ever behind one request that hangs. */
  async #asked(): Promise<ClientSecret> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('it took too long')), this.#timeout);
    });
    return Promise.race([this.#fetchClientSecret(), late]).finally(() => clearTimeout(timer));
  }

  async #renew(): Promise<string> {
    try {
      const { secret, lasts } = read(await this.#asked());
      // Counted from now, and not by the clock of the page, which may be wrong by hours.
      this.#endsAt = Date.now() + lasts;
      this.renewAt = this.#endsAt - (lasts < Infinity ? Math.min(BEFORE_THE_END, lasts / 10) : 0);
      return (this.#secret = secret);
    } catch (error) {
      if (this.#secret !== null && Date.now() < this.#endsAt) {
        this.renewAt = Math.min(Date.now() + TRY_AGAIN, this.#endsAt);
        return this.#secret;
      }
      if (error instanceof DialStackError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new DialStackError('session_failed', `fetchClientSecret failed: ${why}`, { cause: error });
    }
  }
}

function read(given: unknown): { secret: string; lasts: number } {
  const found = isObject(given) ? (given['client_secret'] ?? given['clientSecret']) : given;
  if (typeof found !== 'string' || found === '') {
    const what = 'fetchClientSecret must give the client_secret of a session, or the object that holds it';
    throw new DialStackError('session_failed', what);
  }
  if (/^sk_/.test(found)) {
    throw new DialStackError('session_failed', 'fetchClientSecret gave a platform key, which must stay on your server');
  }
  const end = isObject(given) ? (given['expires_at'] ?? given['expiresAt']) : undefined;
  const left = lifetime(found) ?? Date.parse(String(end)) - Date.now();
  return { secret: found, lasts: left > 0 ? left : Infinity }; // if it has no end, or the clock is wrong, a 401 will tell
}

/** How long a token counts from when it was made, in ms; null if it does not say so. */
function lifetime(token: string): number | null {
  try {
    const payload = (token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/');
    const { iat, exp } = JSON.parse(atob(payload)) as { iat: unknown; exp: unknown };
    return typeof iat === 'number' && typeof exp === 'number' && exp > iat ? (exp - iat) * 1000 : null;
  } catch {
    return null;
  }
}
