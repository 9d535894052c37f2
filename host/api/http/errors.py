"""Errors of the API. All have the same shape; see :mod:`host.web.error_pages`."""

from __future__ import annotations

from typing import ClassVar

from flask_babel import lazy_gettext as _l

from host.core.errors import ConflictError, ForbiddenError, InvalidError, LobbyError, TooManyError
from host.models.api_keys import KeyEnd
from host.users.api_keys import Scope

REALM = "Lobby API"


class UnauthorizedError(LobbyError):
    """The request has no valid key."""

    code = "key_missing"
    status = 401
    title = _l("API key required")
    default_sentence = _l("The request has no API key.")
    default_next_step = _l("Send the header “Authorization: Bearer lobby_…”.")
    challenge: ClassVar[str] = f'Bearer realm="{REALM}"'

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": self.challenge}


class KeyInvalidError(UnauthorizedError):
    """The key does not exist."""

    code = "key_invalid"
    title = _l("Invalid API key")
    default_sentence = _l("The API key is invalid.")
    default_next_step = _l("Copy it again, or ask an owner of the workspace to create a new one.")
    challenge = f'Bearer realm="{REALM}", error="invalid_token"'


class KeyRevokedError(KeyInvalidError):
    """The key was revoked by an owner."""

    code = "key_revoked"
    title = _l("API key revoked")
    default_sentence = _l("The API key was revoked, so nothing was done.")
    default_next_step = _l("Ask an owner of the workspace to create a new one.")


class KeyEndedError(KeyInvalidError):
    """The person responsible for the key is no longer an owner of its workspace."""

    code = "key_ended"
    title = _l("API key expired")
    default_sentence = _l(
        "The owner of the API key is no longer an owner of the workspace, so nothing was done."
    )
    default_next_step = _l("Ask an owner of the workspace to create a new one.")


class KeyExpiredError(KeyInvalidError):
    """The expiry of the key has passed."""

    code = "key_expired"
    title = _l("API key expired")
    default_sentence = _l("The API key has expired, so nothing was done.")
    default_next_step = _l("Ask an owner of the workspace to create a new one.")


KEY_ENDED = {
    KeyEnd.LEFT: _l("The owner of this API key left the workspace, so the key expired and nothing was done."),
    KeyEnd.DEMOTED: _l(
        "The owner of this API key is no longer an owner of the workspace, so the key expired and "
        "nothing was done."
    ),
    KeyEnd.LOCKED_OUT: _l(
        "The owner of this API key was locked out, so the key expired and nothing was done."
    ),
}


class ScopeError(ForbiddenError):
    """The key's scopes do not allow that."""

    code = "scope_missing"
    default_sentence = _l("The API key lacks a scope that this request needs.")
    default_next_step = _l("Ask an owner of the workspace for a key with this scope.")

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__(None if scope is None else _l("The API key lacks the scope %(scope)s.", scope=scope))
        self.scope = scope

    @property
    def headers(self) -> dict[str, str]:
        named = "" if self.scope is None else f', scope="{self.scope}"'
        return {"WWW-Authenticate": f'Bearer realm="{REALM}", error="insufficient_scope"{named}'}


class KeyLimitedError(ForbiddenError):
    """The key is limited to some accounts, and the route concerns the whole workspace."""

    code = "key_limited"
    default_sentence = _l("The API key is limited to some accounts, and this request isn't.")
    default_next_step = _l("Use a key for all accounts.")


class PersonRequiredError(ForbiddenError):
    """Only a person may do that, whatever the scopes of the key."""

    code = "person_required"
    default_sentence = _l("Only a person can do this, so nothing was changed.")
    default_next_step = _l("Ask an owner of the workspace to do it in Lobby.")


class RateLimitedError(TooManyError):
    """The key has reached its rate limit."""

    code = "rate_limited"
    title = _l("Too many requests")
    default_sentence = _l("This API key has sent too many requests in a short time.")
    default_next_step = _l("Wait for the number of seconds in Retry-After.")


class BodyError(InvalidError):
    """The body is not valid for the route."""

    code = "invalid_body"
    default_sentence = _l("The body is invalid, so nothing was changed.")
    default_next_step = _l("Check it against the API documentation.")


class QueryError(InvalidError):
    """A query parameter is not valid for the route."""

    code = "invalid_query"
    default_sentence = _l("The query is invalid.")
    default_next_step = _l("Check it against the API documentation.")


class CursorError(QueryError):
    """The cursor was not issued by the API for this list."""

    code = "invalid_cursor"
    default_sentence = _l("This cursor isn't valid for this list.")
    default_next_step = _l("Start without a cursor, then send back the cursors you receive unchanged.")


class UnknownVersionError(InvalidError):
    """The header Lobby-Version names no version of the API."""

    code = "unknown_version"
    default_sentence = _l("This version of the API doesn't exist.")
    default_next_step = _l("Send a date from the list of API versions, or no Lobby-Version header.")


class PreconditionFailedError(LobbyError):
    """The resource has another version than the header If-Match names."""

    code = "version_mismatch"
    status = 412
    title = _l("Changed in the meantime")
    default_sentence = _l("This has changed since you read it, so nothing was done.")
    default_next_step = _l("Read it again, and repeat the change with its new ETag.")


class NoVersionError(PreconditionFailedError):
    """The route can't check the header If-Match."""

    code = "no_version"
    default_sentence = _l("If-Match can't be checked here, so nothing was done.")
    default_next_step = _l("Leave out the If-Match header.")


class MediaTypeError(InvalidError):
    """The body has a content type the route does not accept."""

    code = "unsupported_media_type"
    status = 415
    default_sentence = _l("The body must be JSON.")
    default_next_step = _l("Send the header “Content-Type: application/json”.")


class IdempotencyKeyError(InvalidError):
    """The header Idempotency-Key is invalid."""

    code = "invalid_idempotency_key"
    default_sentence = _l("The Idempotency-Key header must be 1 to 255 visible ASCII characters.")
    default_next_step = _l("Send a UUID, for example.")


class IdempotencyReusedError(ConflictError):
    """The Idempotency-Key was already used for a different request."""

    code = "idempotency_key_reused"
    default_sentence = _l(
        "This Idempotency-Key was already used for a different request, so nothing was done."
    )
    default_next_step = _l(
        "Use a new key for each request. Reuse a key only to retry the same request unchanged."
    )


class InFlightError(ConflictError):
    """The same request is in progress. *retry_after* is in seconds."""

    code = "request_in_flight"
    default_sentence = _l("The same request is still being processed.")
    default_next_step = _l("Wait for the number of seconds in Retry-After, then retry.")

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__()
        self.retry_after = max(1, retry_after)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}
