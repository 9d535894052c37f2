"""Errors: a class for each status, and for each code that programs act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional


class LobbyError(Exception):
    """Base of all errors of this package."""


class APIConnectionError(LobbyError):
    """The desk did not respond.

    :ivar sent: whether the request may have arrived. If it has an idempotency key, the same call with the
        same key finds out, without doing anything twice.
    :ivar idempotency_key: the key of the call, if it has one.
    """

    def __init__(self, why: str, *, sent: bool, idempotency_key: Optional[str] = None) -> None:
        super().__init__(f"the desk did not answer: {why}")
        self.sent = sent
        self.idempotency_key = idempotency_key


class RedirectedError(LobbyError):
    """The desk's address redirects elsewhere. The key is only sent to the original address."""


class UnreadableAnswerError(LobbyError):
    """The response is not from a desk, or a proxy changed it."""


class WebhookVerificationError(LobbyError):
    """A webhook has no valid signature, or is too old. Respond with 400 and ignore it."""


class APIError(LobbyError):
    """The desk refused the request.

    :ivar status: of HTTP.
    :ivar code: stable; programs decide by it. Empty where something else than the desk answered.
    :ivar message: what happened, in a sentence for people.
    :ivar next: what to do about it.
    :ivar field: what was wrong in what was sent.
    :ivar limit: the number that was gone over.
    :ivar request_id: names the request in the log of the desk.
    :ivar retry_after: seconds to wait, where the desk says so.
    :ivar idempotency_key: the key of the call, if it has one.
    :ivar headers: of the response, with names in lower case, such as ``ratelimit-reset``.
    """

    status = 0

    def __init__(
        self,
        status: int,
        found: Mapping[str, Any],
        *,
        retry_after: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.status = status
        self.code = str(found.get("code") or "")
        self.message = str(found.get("message") or "The answer does not say why.")
        self.next = str(found.get("next") or "")
        self.field: Optional[str] = found.get("field")
        self.limit: Optional[int] = found.get("limit")
        self.request_id = str(found.get("requestId") or found.get("request_id") or "")  # the old name
        self.retry_after = retry_after
        self.idempotency_key = idempotency_key
        self.headers: Mapping[str, str] = dict(headers or {})
        words = [f"{status} {self.code}".strip() + ":", self.message, self.next]
        words += [f"(field {self.field})"] if self.field else []
        words += [f"(request {self.request_id})"] if self.request_id else []
        super().__init__(" ".join(filter(None, words)))


class InvalidRequestError(APIError):
    """400, 413, 415: the request is invalid."""

    status = 400


class TooLongError(InvalidRequestError):
    """The text is longer than a message may be."""


class AuthenticationError(APIError):
    """401: the key is missing or invalid."""

    status = 401


class KeyRevokedError(AuthenticationError):
    """The key was revoked."""


class KeyEndedError(AuthenticationError):
    """The person who created the key is no longer an owner."""


class KeyExpiredError(AuthenticationError):
    """The expiry date of the key has passed."""


class PermissionDeniedError(APIError):
    """403: the key may not do that."""

    status = 403


class ScopeMissingError(PermissionDeniedError):
    """The key lacks a scope, which the message names."""


class KeyLimitedError(PermissionDeniedError):
    """The key is limited to some accounts, and the call concerns the whole workspace."""


class PersonRequiredError(PermissionDeniedError):
    """Only a person may do that, in the desk."""


class NotFoundError(APIError):
    """404: not found in this workspace."""

    status = 404


class ConflictError(APIError):
    """409: not possible in the current state."""

    status = 409


class WindowClosedError(ConflictError):
    """The reply window is closed."""


class PeopleOnlyError(ConflictError):
    """The reply window is only open for people, in the inbox, and not for programs."""


class AccountDisconnectedError(ConflictError):
    """The account is disconnected."""


class IdempotencyKeyReusedError(ConflictError):
    """The key was already used for a different request."""


class StateMovedOnError(ConflictError):
    """The message is being sent, or was sent."""


class GoneError(APIError):
    """410: it no longer exists."""

    status = 410


class PreconditionFailedError(APIError):
    """412: it was changed since it was read."""

    status = 412


class UnprocessableError(APIError):
    """422: valid but not possible, such as a channel's limit or a URL without a file."""

    status = 422


class NotWrittenFirstError(UnprocessableError):
    """The customer never wrote to the account, so no message can be sent to them."""


class FetchFailedError(UnprocessableError):
    """The desk could not fetch a file from its URL."""


class RateLimitedError(APIError):
    """429: too many requests with this key."""

    status = 429


class ServerError(APIError):
    """5xx: the desk, the provider, or a proxy has a problem."""

    status = 500


class ProviderRefusedError(ServerError):
    """The provider refused the desk's request."""


BY_STATUS: dict[int, type[APIError]] = {
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
}
BY_CODE: dict[str, type[APIError]] = {
    "account_disconnected": AccountDisconnectedError,
    "fetch_failed": FetchFailedError,
    "idempotency_key_reused": IdempotencyKeyReusedError,
    "key_ended": KeyEndedError,
    "key_expired": KeyExpiredError,
    "key_limited": KeyLimitedError,
    "key_revoked": KeyRevokedError,
    "not_written_first": NotWrittenFirstError,
    "people_only": PeopleOnlyError,
    "person_required": PersonRequiredError,
    "provider_refused": ProviderRefusedError,
    "scope_missing": ScopeMissingError,
    "state_moved_on": StateMovedOnError,
    "too_long": TooLongError,
    "window_closed": WindowClosedError,
}


def error_of(
    status: int,
    found: Mapping[str, Any],
    *,
    retry_after: Optional[float],
    key: Optional[str],
    headers: Optional[Mapping[str, str]] = None,
) -> APIError:
    """Return the error for a response."""
    by_status = BY_STATUS.get(status, ServerError if status >= 500 else APIError)
    kind = BY_CODE.get(str(found.get("code")), by_status)
    return kind(status, found, retry_after=retry_after, idempotency_key=key, headers=headers)
