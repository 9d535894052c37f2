"""Why a call did not work: a class for each status, and for the codes programs decide by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional


class LobbyError(Exception):
    """Base of everything this package raises."""


class APIConnectionError(LobbyError):
    """The desk did not answer.

    :ivar sent: whether the request may have arrived. If it has an idempotency key, the same call with the
        same key finds out, without doing anything twice.
    :ivar idempotency_key: the key of the call, if it has one.
    """

    def __init__(self, why: str, *, sent: bool, idempotency_key: Optional[str] = None) -> None:
        super().__init__(f"the desk did not answer: {why}")
        self.sent = sent
        self.idempotency_key = idempotency_key


class RedirectedError(LobbyError):
    """The desk's address leads somewhere else, and the key is sent nowhere but where it was meant for."""


class UnreadableAnswerError(LobbyError):
    """What answered is not a desk, or something between here and the desk changed its answer."""


class WebhookVerificationError(LobbyError):
    """A webhook is not genuine, or too old. Answer it with 400 and do nothing."""


class APIError(LobbyError):
    """The desk refused.

    :ivar status: of HTTP.
    :ivar code: stable; programs decide by it. Empty where something else than the desk answered.
    :ivar message: what happened, in a sentence for people.
    :ivar next: what to do about it.
    :ivar field: what was wrong in what was sent.
    :ivar limit: the number that was gone over.
    :ivar request_id: names the request in the log of the desk.
    :ivar retry_after: seconds to wait, where the desk says so.
    :ivar idempotency_key: the key of the call, if it has one.
    """

    status = 0

    def __init__(
        self,
        status: int,
        found: Mapping[str, Any],
        *,
        retry_after: Optional[float] = None,
        idempotency_key: Optional[str] = None,
    ) -> None:
        self.status = status
        self.code = str(found.get("code") or "")
        self.message = str(found.get("message") or "The answer does not say why.")
        self.next = str(found.get("next") or "")
        self.field: Optional[str] = found.get("field")
        self.limit: Optional[int] = found.get("limit")
        self.request_id = str(found.get("request_id") or "")
        self.retry_after = retry_after
        self.idempotency_key = idempotency_key
        words = [f"{status} {self.code}".strip() + ":", self.message, self.next]
        words += [f"(field {self.field})"] if self.field else []
        words += [f"(request {self.request_id})"] if self.request_id else []
        super().__init__(" ".join(filter(None, words)))


class InvalidRequestError(APIError):
    """400, 413, 415: the request is not what the route takes."""

    status = 400


class TooLongError(InvalidRequestError):
    """A text is longer than a message may be."""


class AuthenticationError(APIError):
    """401: no key, or one that opens nothing."""

    status = 401


class KeyRevokedError(AuthenticationError):
    """The key was revoked."""


class KeyEndedError(AuthenticationError):
    """Who answered for the key is no owner any more."""


class PermissionDeniedError(APIError):
    """403: the key may only read."""

    status = 403


class NotFoundError(APIError):
    """404: there is no such thing in this workspace."""

    status = 404


class ConflictError(APIError):
    """409: not possible as things stand."""

    status = 409


class WindowClosedError(ConflictError):
    """The customer's last message is too long ago for a reply."""


class PeopleOnlyError(ConflictError):
    """A person may still answer, in the inbox; a program may not."""


class AccountDisconnectedError(ConflictError):
    """The account is disconnected."""


class IdempotencyKeyReusedError(ConflictError):
    """The key was used for another request before."""


class StateMovedOnError(ConflictError):
    """The message is being sent, or was."""


class GoneError(APIError):
    """410: it was there once."""

    status = 410


class UnprocessableError(APIError):
    """422: understood, and not possible: a limit of the channel, an address that leads to no file."""

    status = 422


class NotWrittenFirstError(UnprocessableError):
    """This customer never wrote to the account, so nobody may write to them."""


class FetchFailedError(UnprocessableError):
    """The desk could not fetch a file from its address."""


class RateLimitedError(APIError):
    """429: the key made too many requests."""

    status = 429


class ServerError(APIError):
    """5xx: the desk, the provider behind it, or something before it does not work now."""

    status = 500


class ProviderRefusedError(ServerError):
    """The provider refused what the desk asked of it."""


BY_STATUS: dict[int, type[APIError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
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
    "key_revoked": KeyRevokedError,
    "not_written_first": NotWrittenFirstError,
    "people_only": PeopleOnlyError,
    "provider_refused": ProviderRefusedError,
    "state_moved_on": StateMovedOnError,
    "too_long": TooLongError,
    "window_closed": WindowClosedError,
}


def error_of(
    status: int, found: Mapping[str, Any], *, retry_after: Optional[float], key: Optional[str]
) -> APIError:
    """Return the error for an answer."""
    by_status = BY_STATUS.get(status, ServerError if status >= 500 else APIError)
    kind = BY_CODE.get(str(found.get("code")), by_status)
    return kind(status, found, retry_after=retry_after, idempotency_key=key)
