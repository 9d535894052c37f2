"""Why the API would not do something. One shape for all of them; see :mod:`host.web.error_pages`."""

from __future__ import annotations

from typing import ClassVar

from flask_babel import lazy_gettext as _l

from host.core.errors import ConflictError, ForbiddenError, InvalidError, LobbyError, TooManyError
from host.models.api import KeyEnd

REALM = "Lobby API"


class UnauthorizedError(LobbyError):
    """The request shows no key that opens the door."""

    code = "key_missing"
    status = 401
    title = _l("A key is needed")
    default_sentence = _l("The request carries no API key.")
    default_next_step = _l("Send the header “Authorization: Bearer lobby_…”.")
    challenge: ClassVar[str] = f'Bearer realm="{REALM}"'

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": self.challenge}


class KeyInvalidError(UnauthorizedError):
    """Nobody made such a key."""

    code = "key_invalid"
    title = _l("The key is not known")
    default_sentence = _l("The API key is not known here.")
    default_next_step = _l("Copy it again, or let an owner of the workspace make a new one.")
    challenge = f'Bearer realm="{REALM}", error="invalid_token"'


class KeyRevokedError(KeyInvalidError):
    """The key was ended by an owner."""

    code = "key_revoked"
    title = _l("The key was revoked")
    default_sentence = _l("The API key was revoked, so nothing was done.")
    default_next_step = _l("Let an owner of the workspace make a new one.")


class KeyEndedError(KeyInvalidError):
    """Who answered for the key is no owner of its workspace any more."""

    code = "key_ended"
    title = _l("The key has ended")
    default_sentence = _l("The API key has ended, so nothing was done.")
    default_next_step = _l("Let an owner of the workspace make a new one.")


KEY_ENDED = {
    KeyEnd.LEFT: _l("Who answered for this API key left the workspace, so it ended and nothing was done."),
    KeyEnd.DEMOTED: _l(
        "Who answered for this API key is no longer an owner of the workspace, so it ended "
        "and nothing was done."
    ),
    KeyEnd.LOCKED_OUT: _l("Who answered for this API key was locked out, so it ended and nothing was done."),
}


class ScopeError(ForbiddenError):
    """The key may not do that."""

    code = "scope_missing"
    default_sentence = _l("The API key may only read.")
    default_next_step = _l("Use a key that may read and write.")

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": f'Bearer realm="{REALM}", error="insufficient_scope"'}


class RateLimitedError(TooManyError):
    """The key has made as many requests as it may in a time."""

    code = "rate_limited"
    title = _l("Too many requests")
    default_sentence = _l("This API key has made too many requests in a short time.")
    default_next_step = _l("Wait as many seconds as Retry-After says.")


class BodyError(InvalidError):
    """The body is not what the route takes."""

    code = "invalid_body"
    default_sentence = _l("The body cannot be used, so nothing was changed.")
    default_next_step = _l("Compare it with the description of the route.")


class QueryError(InvalidError):
    """A parameter of the query is not what the route takes."""

    code = "invalid_query"
    default_sentence = _l("The query cannot be used.")
    default_next_step = _l("Compare it with the description of the route.")


class CursorError(QueryError):
    """A cursor the API did not give out for this list."""

    code = "invalid_cursor"
    default_sentence = _l("This cursor belongs to no place in this list.")
    default_next_step = _l("Begin without a cursor, and send those of the answers back unchanged.")


class MediaTypeError(InvalidError):
    """The body says it is of a type the route does not take."""

    code = "unsupported_media_type"
    status = 415
    default_sentence = _l("The body has to be JSON.")
    default_next_step = _l("Send the header “Content-Type: application/json”.")


class IdempotencyKeyError(InvalidError):
    """The header Idempotency-Key cannot be used."""

    code = "invalid_idempotency_key"
    default_sentence = _l("The header Idempotency-Key has to be 1 to 255 visible ASCII characters.")
    default_next_step = _l("Send a UUID, for example.")


class IdempotencyReusedError(ConflictError):
    """The same Idempotency-Key came with another request before."""

    code = "idempotency_key_reused"
    default_sentence = _l("This Idempotency-Key was used for another request, so nothing was done.")
    default_next_step = _l("Use a new key for each request, and the same only to repeat it unchanged.")


class InFlightError(ConflictError):
    """The same request is being worked on. *retry_after* is in seconds."""

    code = "request_in_flight"
    default_sentence = _l("The same request is being worked on.")
    default_next_step = _l("Wait as many seconds as Retry-After says, then repeat it.")

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__()
        self.retry_after = max(1, retry_after)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}
