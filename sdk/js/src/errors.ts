/** What can go wrong, as one kind of error that programs can tell apart. */

/**
 * The codes of the service (docs/api.md, Errors), and those of the SDK itself:
 * `session_failed` (your `fetchClientSecret` failed), `connection_failed` and `timeout` (no answer came),
 * `unexpected_answer` (one that is not the service's), `invalid_argument` (the SDK was called wrongly).
 */
export type ErrorCode =
  | 'missing_field'
  | 'invalid_user_id'
  | 'validation_error'
  | 'not_supported'
  | 'unauthorized'
  | 'destination_not_allowed'
  | 'not_allowed'
  | 'origin_not_allowed'
  | 'user_not_found'
  | 'call_not_found'
  | 'user_busy'
  | 'idempotency_conflict'
  | 'limit_reached'
  | 'too_many_streams'
  | 'unavailable'
  | 'overloaded'
  | 'session_failed'
  | 'connection_failed'
  | 'timeout'
  | 'unexpected_answer'
  | 'invalid_argument'
  | (string & {});

export interface ErrorFacts {
  status?: number | null;
  field?: string | null;
  details?: Record<string, string>;
  requestId?: string | null;
  retryAfter?: number | null;
  idempotencyKey?: string | null;
  cause?: unknown;
}

/** Every error that the SDK throws. `message` is for people, `code` for programs. */
export class DialStackError extends Error {
  override readonly name = 'DialStackError';
  readonly code: ErrorCode;
  /** The HTTP status; null when nothing was sent, or no answer came. */
  readonly status: number | null;
  /** The parameter that is wrong, as the SDK calls it, such as `dialString`; null if it is not about one. */
  readonly field: string | null;
  /** What the service told beside, as it told it: reasons by field, `rule`, `request_id`. */
  readonly details: Record<string, string>;
  /** What the service's log calls the request. */
  readonly requestId: string | null;
  /** After how many seconds the same may be asked again. */
  readonly retryAfter: number | null;
  /** Of `calls.create`: with this key the same call can be asked for again, and no phone rings twice. */
  readonly idempotencyKey: string | null;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined);
    this.code = code;
    this.status = facts.status ?? null;
    this.field = facts.field ?? null;
    this.details = facts.details ?? {};
    this.requestId = facts.requestId ?? null;
    this.retryAfter = facts.retryAfter ?? null;
    this.idempotencyKey = facts.idempotencyKey ?? null;
  }

  /** The rule or limit of the service that refused a call, by its stable name; null if none did. */
  get rule(): string | null {
    return this.details['rule'] ?? null;
  }

  /** Whether nobody can know if it was done: no answer came. A call may be ringing; ask again with the same `idempotencyKey`. */
  get uncertain(): boolean {
    return this.code === 'connection_failed' || this.code === 'timeout' || (this.status ?? 0) === 502 || this.status === 504;
  }
}

/** The error that an answer of the service, or of something before it, is. */
export async function errorOf(answer: Response): Promise<DialStackError> {
  const headers = answer.headers;
  const facts: ErrorFacts = {
    status: answer.status,
    requestId: headers.get('X-Request-Id'),
    retryAfter: secondsOf(headers.get('Retry-After')),
  };
  const body: unknown = await answer.json().catch(() => null);
  if (!isObject(body) || typeof body['error'] !== 'string') {
    return new DialStackError('unexpected_answer', `The service was not reached: HTTP ${answer.status}`, facts);
  }
  const details = isObject(body['details']) ? (body['details'] as Record<string, string>) : {};
  const field = answer.status === 400 ? Object.keys(details).find((name) => name !== 'rule') : undefined;
  const code = typeof body['code'] === 'string' ? body['code'] : 'unexpected_answer';
  return new DialStackError(code, body['error'], { ...facts, details, field: field ? camel(field) : null });
}

/** A parameter that is wrong, told as the service would tell it; nothing was sent. */
export function wrong(code: ErrorCode, field: string, reason: string, message = `Invalid ${field}: ${reason}`): DialStackError {
  return new DialStackError(code, message, { field: camel(field), details: { [field]: reason } });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function secondsOf(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}
