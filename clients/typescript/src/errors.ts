/** Errors: a class for each status, and for each code that programs act on. */

/** Base of all errors of this package. */
export class LobbyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** The desk did not respond. */
export class APIConnectionError extends LobbyError {
  /**
   * Whether the request may have arrived. If it has an idempotency key, the same call with the same key finds
   * out, without doing anything twice.
   */
  readonly sent: boolean;
  /** The key of the call, if it has one. */
  readonly idempotencyKey: string | undefined;

  constructor(why: string, sent: boolean, idempotencyKey?: string) {
    super(`the desk did not answer: ${why}`);
    this.sent = sent;
    this.idempotencyKey = idempotencyKey;
  }
}

/** The desk's address redirects elsewhere. The key is only sent to the original address. */
export class RedirectedError extends LobbyError {}

/** The response is not from a desk, or a proxy changed it. */
export class UnreadableAnswerError extends LobbyError {}

/** A webhook has no valid signature, or is too old. Respond with 400 and ignore it. */
export class WebhookVerificationError extends LobbyError {}

/** What the desk says in the body of an error. */
export interface Refusal {
  code?: unknown;
  message?: unknown;
  next?: unknown;
  field?: unknown;
  limit?: unknown;
  requestId?: unknown;
  /** Its name at desks older than `requestId`. */
  request_id?: unknown;
}

/** The desk refused the request. `message` has everything that is known, in one line. */
export class APIError extends LobbyError {
  readonly status: number;
  /** Stable; programs decide by it. Empty where something else than the desk answered. */
  readonly code: string;
  /** What happened, in a sentence for people. */
  readonly explanation: string;
  /** What to do about it. */
  readonly next: string;
  /** What was wrong in what was sent. */
  readonly field: string | undefined;
  /** The number that was exceeded. */
  readonly limit: number | undefined;
  /** Identifies the request in the log of the desk. */
  readonly requestId: string;
  /** Seconds to wait, where the desk says so. */
  readonly retryAfter: number | undefined;
  /** The key of the call, if it has one. */
  readonly idempotencyKey: string | undefined;
  /** Of the response. */
  readonly headers: Headers;

  constructor(status: number, refusal: Refusal, headers: Headers, idempotencyKey?: string) {
    const code = text(refusal.code);
    const explanation = text(refusal.message) || "The answer does not say why.";
    const next = text(refusal.next);
    const field = text(refusal.field) || undefined;
    const requestId = text(refusal.requestId) || text(refusal.request_id);
    const words = [`${`${status} ${code}`.trim()}:`, explanation, next];
    words.push(field ? `(field ${field})` : "", requestId ? `(request ${requestId})` : "");
    super(words.filter(Boolean).join(" "));
    this.status = status;
    this.code = code;
    this.explanation = explanation;
    this.next = next;
    this.field = field;
    this.limit = typeof refusal.limit === "number" ? refusal.limit : undefined;
    this.requestId = requestId;
    this.retryAfter = secondsOf(headers.get("retry-after"));
    this.idempotencyKey = idempotencyKey;
    this.headers = headers;
  }
}

/** 400, 413, 415: the request is invalid. */
export class InvalidRequestError extends APIError {}
/** The text is longer than a message may be. */
export class TooLongError extends InvalidRequestError {}
/** 401: the key is missing or invalid. */
export class AuthenticationError extends APIError {}
/** The key was revoked. */
export class KeyRevokedError extends AuthenticationError {}
/** The person who created the key is no longer an owner. */
export class KeyEndedError extends AuthenticationError {}
/** The expiry date of the key has passed. */
export class KeyExpiredError extends AuthenticationError {}
/** 403: the key may not do that. */
export class PermissionDeniedError extends APIError {}
/** The key lacks a scope, which the message names. */
export class ScopeMissingError extends PermissionDeniedError {}
/** The key is limited to some accounts, and the call concerns the whole workspace. */
export class KeyLimitedError extends PermissionDeniedError {}
/** Only a person may do that, in the desk. */
export class PersonRequiredError extends PermissionDeniedError {}
/** 404: not found in this workspace. */
export class NotFoundError extends APIError {}
/** 409: not possible in the current state. */
export class ConflictError extends APIError {}
/** The reply window is closed. */
export class WindowClosedError extends ConflictError {}
/** The reply window is only open for people, in the inbox, and not for programs. */
export class PeopleOnlyError extends ConflictError {}
/** The account is disconnected. */
export class AccountDisconnectedError extends ConflictError {}
/** The idempotency key was already used for a different request. */
export class IdempotencyKeyReusedError extends ConflictError {}
/** The message is being sent, or was sent. */
export class StateMovedOnError extends ConflictError {}
/** 410: it no longer exists. */
export class GoneError extends APIError {}
/** 412: it was changed since it was read. */
export class PreconditionFailedError extends APIError {}
/** 422: valid but not possible, such as a channel's limit or a URL without a file. */
export class UnprocessableError extends APIError {}
/** The customer never wrote to the account, so no message can be sent to them. */
export class NotWrittenFirstError extends UnprocessableError {}
/** The desk could not fetch a file from its URL. */
export class FetchFailedError extends UnprocessableError {}
/** 429: too many requests with this key. */
export class RateLimitedError extends APIError {}
/** 5xx: the desk, the provider, or a proxy has a problem. */
export class ServerError extends APIError {}
/** The provider refused the desk's request. */
export class ProviderRefusedError extends ServerError {}

const BY_STATUS: Record<number, typeof APIError> = {
  400: InvalidRequestError,
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  410: GoneError,
  412: PreconditionFailedError,
  413: InvalidRequestError,
  415: InvalidRequestError,
  422: UnprocessableError,
  429: RateLimitedError,
};
const BY_CODE = new Map<string, typeof APIError>([
  ["account_disconnected", AccountDisconnectedError],
  ["fetch_failed", FetchFailedError],
  ["idempotency_key_reused", IdempotencyKeyReusedError],
  ["key_ended", KeyEndedError],
  ["key_expired", KeyExpiredError],
  ["key_limited", KeyLimitedError],
  ["key_revoked", KeyRevokedError],
  ["not_written_first", NotWrittenFirstError],
  ["people_only", PeopleOnlyError],
  ["person_required", PersonRequiredError],
  ["provider_refused", ProviderRefusedError],
  ["scope_missing", ScopeMissingError],
  ["state_moved_on", StateMovedOnError],
  ["too_long", TooLongError],
  ["window_closed", WindowClosedError],
]);

/** Return the error for a response that is not a success. */
export function errorOf(
  status: number,
  refusal: Refusal,
  headers: Headers,
  idempotencyKey?: string,
): APIError {
  const byStatus = BY_STATUS[status] ?? (status >= 500 ? ServerError : APIError);
  const kind = BY_CODE.get(text(refusal.code)) ?? byStatus;
  return new kind(status, refusal, headers, idempotencyKey);
}

/** Return the seconds of a Retry-After header, or undefined without one that is a number. */
export function secondsOf(given: string | null): number | undefined {
  return given !== null && /^[0-9]+$/.test(given) ? Number(given) : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
