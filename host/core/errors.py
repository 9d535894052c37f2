"""Errors that are reported to the caller, each with a code and an HTTP status.

A use case raises one of these; ``host.web.error_pages`` renders it as a page or as JSON. The sentence
describes what happened and why, ``next_step`` what to do; both are translated when they are shown. For
programs, ``field`` names the wrong value of the request, and ``limit`` is the number it exceeded. If the
field is a list, ``wrong_values`` are those of its values that are wrong. Where the default texts speak of
pages, ``program_sentence`` and ``program_step`` are what the API says instead.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, TypeVar

from flask_babel import lazy_gettext as _l

Kind = TypeVar("Kind", bound="LobbyError")


class LobbyError(Exception):
    """Base of every error that is reported to the caller."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[object] = _l("Something went wrong")
    default_sentence: ClassVar[object] = _l("The action failed.")
    default_next_step: ClassVar[object] = _l("Try again in a moment.")
    program_sentence: ClassVar[object]
    program_step: ClassVar[object]

    def __init__(
        self,
        sentence: object = None,
        *,
        next_step: object = None,
        field: str | None = None,
        limit: int | None = None,
        wrong_values: Collection[object] = (),
    ) -> None:
        self._sentence = sentence
        self._next_step = next_step
        self.field = field
        self.limit = limit
        self.wrong_values = wrong_values
        super().__init__()

    def __str__(self) -> str:
        return f"{self.sentence} {self.next_step}".strip()

    @property
    def sentence(self) -> str:
        return str(self.default_sentence if self._sentence is None else self._sentence)

    @property
    def next_step(self) -> str:
        return str(self.default_next_step if self._next_step is None else self._next_step)

    @property
    def sentence_for_programs(self) -> str:
        """Return what happened, without words about pages."""
        return self._for_programs(self._sentence, "program_sentence", "default_sentence")

    @property
    def step_for_programs(self) -> str:
        """Return what a program can do, or an empty string."""
        return self._for_programs(self._next_step, "program_step", "default_next_step")

    def _for_programs(self, given: object, *names: str) -> str:
        """Return *given*, or the first of *names* that the nearest class with one of them has."""
        if given is not None:
            return str(given)
        found = (vars(kind)[name] for kind in type(self).__mro__ for name in names if name in vars(kind))
        return str(next(found))

    def as_kind(self, kind: type[Kind], field: str | None) -> Kind:
        """Return an error of *kind* that says the same, at *field*."""
        return kind(self._sentence, next_step=self._next_step, field=field, limit=self.limit)

    @property
    def headers(self) -> dict[str, str]:
        """Return additional headers for the response."""
        return {}


class InvalidError(LobbyError):
    """The request contains an invalid value."""

    code = "invalid"
    status = 400
    title = _l("Invalid request")
    default_sentence = _l("The request was incomplete or malformed, so nothing was changed.")
    default_next_step = _l("Go back, reload the page and try again.")
    program_step = _l("Check the request against the API documentation.")


class NotSignedInError(LobbyError):
    """The request has no session, or an ended one."""

    code = "not_signed_in"
    status = 401
    title = _l("You are not signed in")
    default_sentence = _l("Your session has expired, or you have not signed in yet.")
    default_next_step = _l("Sign in, then try again.")


class ForbiddenError(LobbyError):
    """Signed in, but without the required role."""

    code = "forbidden"
    status = 403
    title = _l("Permission denied")
    default_sentence = _l("Your role in this workspace does not allow it.")
    default_next_step = _l("Ask an owner of the workspace, or a desk admin.")
    program_sentence = _l("The API key may not do that.")
    program_step = ""


class NotFoundError(LobbyError):
    """The object does not exist, or belongs to a workspace the person is not in."""

    code = "not_found"
    status = 404
    title = _l("Page not found")
    default_sentence = _l("This page does not exist, or it belongs to a workspace you are not a member of.")
    default_next_step = _l("Check the address, or go to the home page.")
    program_sentence = _l("Nothing has this address, or it belongs to another workspace.")
    program_step = _l("Check the path and the ids in it.")
    place: ClassVar[str] = ""
    """Name of its id in paths of the API, if its code does not say it."""


class FeatureOffError(NotFoundError):
    """The address belongs to a feature that is turned off."""

    code = "feature_off"
    title = _l("This feature is off")
    default_sentence = _l("This feature is turned off on this Lobby server. Nothing was changed.")
    default_next_step = _l("Ask a desk admin to turn it on.")
    program_sentence = _l("The feature this address belongs to is turned off on this Lobby server.")
    program_step = _l(
        "Ask an admin of the server to turn it on. The API document has only the routes that work."
    )


class ConflictError(LobbyError):
    """Another change was faster, or a rule of the data forbids the change."""

    code = "conflict"
    status = 409
    title = _l("No longer possible")
    default_sentence = _l("Something changed since you opened the page.")
    default_next_step = _l("Reload the page and look again.")
    program_sentence = _l("Something changed in the meantime, so nothing was done.")
    program_step = _l("Read it again, then decide whether to repeat the request.")


class ArchivedError(ConflictError):
    """The workspace is archived and read-only."""

    code = "workspace_archived"
    title = _l("The workspace is archived")
    default_sentence = _l("This workspace is archived and read-only.")
    default_next_step = _l("An owner can restore it under Settings → General.")
    program_step = ""


class TooLargeError(LobbyError):
    """The request is larger than allowed."""

    code = "too_large"
    status = 413
    title = _l("Too large")
    default_sentence = _l("The request exceeds the size limit, so nothing was saved.")
    default_next_step = _l("Send less data, or a smaller file.")


class TooManyError(LobbyError):
    """A limit was reached. *retry_after* is in seconds."""

    code = "too_many"
    status = 429
    title = _l("Too many attempts")
    default_sentence = _l("There were too many attempts in a short time.")
    default_next_step = _l("Wait a moment, then try again.")

    def __init__(
        self,
        sentence: object = None,
        *,
        next_step: object = None,
        limit: int | None = None,
        retry_after: int = 60,
    ) -> None:
        super().__init__(sentence, next_step=next_step, limit=limit)
        self.retry_after = max(1, retry_after)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class UnavailableError(LobbyError):
    """A service the desk needs does not answer at the moment."""

    code = "unavailable"
    status = 503
    title = _l("Lobby is unavailable")
    default_sentence = _l("The database does not respond. No data has been lost.")
    default_next_step = _l("Try again in a minute.")

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "30"}


class PasswordNeededError(LobbyError):
    """Signed in, but the password was not entered recently."""

    code: ClassVar[str] = "password_needed"
    status: ClassVar[int] = 403
    title: ClassVar[object] = _l("Confirm your password")
    default_sentence: ClassVar[object] = _l(
        "You last entered your password a while ago. Nothing was changed yet."
    )
    default_next_step: ClassVar[object] = _l("Confirm your identity, then try again.")


class NewPasswordNeededError(LobbyError):
    """Signed in, but an admin requires a new password first."""

    code: ClassVar[str] = "new_password_needed"
    status: ClassVar[int] = 403
    title: ClassVar[object] = _l("Choose a new password")
    default_sentence: ClassVar[object] = _l("A desk admin requires you to choose a new password.")
    default_next_step: ClassVar[object] = _l("Choose it on your account page, then continue.")


class SecondFactorNeededError(LobbyError):
    """Signed in, but the desk requires a second factor, and the person has none."""

    code: ClassVar[str] = "second_factor_needed"
    status: ClassVar[int] = 403
    title: ClassVar[object] = _l("Set up a second factor")
    default_sentence: ClassVar[object] = _l("Your desk requires a second factor.")
    default_next_step: ClassVar[object] = _l("Set it up on your account page, then continue.")


class WrongPasswordError(PasswordNeededError):
    """The given password is not the person's."""

    code: ClassVar[str] = "wrong_password"
    default_sentence: ClassVar[object] = _l("Wrong password. Nothing was changed.")
    default_next_step: ClassVar[object] = _l("Try again.")
