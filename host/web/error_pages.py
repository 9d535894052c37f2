"""Render every error as a page or as JSON, with the next step and never a traceback."""

from __future__ import annotations

import logging
from typing import ClassVar

import msgspec
from flask import Flask, Response, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from host.core import errors
from host.core.backports.values import replace
from host.core.call_budget import HungCallError
from host.core.db import db
from host.core.errors import LobbyError, PasswordNeededError
from host.users.confirming import Ways, ways_of
from host.web import problems
from host.web.headers import SAFE_METHODS
from host.web.request_helpers import config, maybe_user, request_id, safe_next, wants_json

log = logging.getLogger("lobby.errors")

PASSWORD_ASKED = "password_asked"  # noqa: S105 - the name of a mark on the request
"""Key on ``g`` while a form is held: the name of the field for confirming one's identity.

Empty once this request has confirmed it.
"""

SEALED = "sealed_secrets"
"""Key on ``g`` while a form is held: fields that replace secrets typed into it, by the name of the secret."""

PLAIN = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Lobby</title>"
    "<h1>Something went wrong</h1><p>The desk could not show this page. Try again in a moment.</p>"
    "<p>Reference: {reference}</p>"
)


class _MediaTypeError(LobbyError):
    code: ClassVar[str] = "unsupported_media_type"
    status: ClassVar[int] = 415
    title: ClassVar[object] = _l("Unsupported content type")
    default_sentence: ClassVar[object] = _l(
        "This address does not accept that content type. Nothing was saved."
    )
    default_next_step: ClassVar[object] = _l("Go back and use the buttons on the page.")
    program_step: ClassVar[object] = _l("Send the content type that the API documentation names.")


class _MethodError(LobbyError):
    code: ClassVar[str] = "method_not_allowed"
    status: ClassVar[int] = 405
    title: ClassVar[object] = _l("Method not allowed")
    default_sentence: ClassVar[object] = _l("This address does not support that method.")
    default_next_step: ClassVar[object] = _l("Go back and use the buttons on the page.")
    program_step: ClassVar[object] = _l("Use a method that the header Allow names.")


class _FormExpiredError(LobbyError):
    code: ClassVar[str] = "form_expired"
    status: ClassVar[int] = 400
    title: ClassVar[object] = _l("This form has expired")
    default_sentence: ClassVar[object] = _l(
        "It was opened in another session, or cookies are disabled. Nothing was changed."
    )
    default_next_step: ClassVar[object] = _l("Reload the page and send it again.")

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Form-Expired": "1"}  # page-user.js sends it again for the same person


class _InternalError(LobbyError):
    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[object] = _l("Something went wrong")
    default_sentence: ClassVar[object] = _l(
        "An unexpected error occurred in Lobby. It was logged for your admins."
    )
    default_next_step: ClassVar[object] = _l(
        "Try again. If it keeps happening, give your admins the reference below."
    )
    program_step: ClassVar[object] = _l("Try again. If it keeps happening, send your admins the request id.")


class _AddonTooSlowError(errors.UnavailableError):
    title: ClassVar[object] = _l("The addon didn't answer")
    default_sentence: ClassVar[object] = _l("An addon took too long, so Lobby ended this request.")


class _ErrorView(msgspec.Struct, frozen=True):
    """The values for the template of an error."""

    code: str
    status: int
    title: str
    sentence: str
    next_step: str
    reference: str | None
    way_on: tuple[str, str] | None
    """The label and address of a button other than the one to the start page."""


class _Carried(msgspec.Struct, frozen=True):
    """A form held until the person has confirmed their identity: its address and values.

    :param problem: the problem with the field *wrong*.
    """

    action: str
    fields: list[tuple[str, str]]
    problem: str
    wrong: str
    back: str
    ways: Ways


_BY_STATUS: dict[int, type[LobbyError]] = {
    400: errors.InvalidError,
    401: errors.NotSignedInError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    405: _MethodError,
    409: errors.ConflictError,
    413: errors.TooLargeError,
    415: _MediaTypeError,
    429: errors.TooManyError,
    503: errors.UnavailableError,
}


OF_ANY_ROUTE: tuple[type[LobbyError], ...] = (
    errors.InvalidError,
    errors.NotFoundError,
    errors.FeatureOffError,
    _MethodError,
    errors.ArchivedError,
    errors.TooLargeError,
    _InternalError,
    errors.UnavailableError,
)
"""Errors of the API that no route declares: of routing, of the server, and of an archived workspace."""


def install(app: Flask) -> None:
    """Handle every error of *app* with Lobby's texts."""
    app.register_error_handler(LobbyError, _lobby_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _database_down)
    app.register_error_handler(PoolTimeoutError, _database_down)
    app.register_error_handler(HungCallError, _addon_too_slow)
    app.register_error_handler(Exception, _unexpected)


def _lobby_error(error: LobbyError) -> BaseResponse:
    if isinstance(error, errors.NotSignedInError) and not wants_json():
        return redirect(url_for("accounts.login", next=_where_from()))
    wants_page = request.method in SAFE_METHODS and not wants_json()
    if isinstance(error, errors.NewPasswordNeededError) and wants_page:
        return redirect(url_for("accounts.new_password", next=_where_from()))
    if isinstance(error, errors.SecondFactorNeededError) and wants_page:
        return redirect(url_for("accounts.security", next=_where_from()))
    if isinstance(error, PasswordNeededError) and wants_page:
        return redirect(url_for("accounts.confirm", next=_where_from()))
    if error.status >= 500:
        log.warning("%s answers %s: %s", request.path, error.status, error)
    return render(error)


def _http_error(error: HTTPException) -> BaseResponse:
    """Replace the texts of werkzeug's errors (routing, parsing, abort), but not its redirects."""
    if error.response is not None:
        return make_response(error.response)
    status = error.code or 500
    if 300 <= status < 400:
        return make_response(error)
    if isinstance(error, CSRFError):
        return render(_FormExpiredError())
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = errors.InvalidError if status < 500 else _InternalError
    response = render(_too_large() if kind is errors.TooLargeError else kind(), status=status)
    for name, value in error.get_headers():
        if name.lower() in {"allow", "content-range", "retry-after", "www-authenticate"}:
            response.headers[name] = value
    return response


def _too_large() -> LobbyError:
    """Return the error with the exceeded limit: that of files if the page accepts one, else that of text."""
    most = request.max_content_length
    if most is None or most < 1024 * 1024:
        return errors.TooLargeError(limit=most)
    return errors.TooLargeError(
        _("The upload is larger than %(most)d MB. Nothing was saved.", most=most // (1024 * 1024)), limit=most
    )


def _database_down(error: Exception) -> BaseResponse:
    reference = _log_with_reference(error)
    g.lobby_user = None
    g.pop("lobby_user_known", None)
    return render(errors.UnavailableError(), reference=reference)


def _addon_too_slow(error: HungCallError) -> BaseResponse:
    return render(_AddonTooSlowError(), reference=_log_with_reference(error))


def _unexpected(error: Exception) -> BaseResponse:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _database_down(error)
    reference = _log_with_reference(error)
    return render(_InternalError(), reference=reference)


def _log_with_reference(error: Exception) -> str:
    reference = request_id()
    log.error("%s %s failed, reference %s", request.method, request.path, reference, exc_info=error)
    return reference


def _where_from() -> str:
    """Return the page to return to after signing in: this page, or for a form its page."""
    if request.method in SAFE_METHODS:
        return request.full_path.rstrip("?")
    referrer = request.referrer or ""
    origin = request.host_url
    return safe_next("/" + referrer.removeprefix(origin)) if referrer.startswith(origin) else "/"


def _brings_a_file() -> bool:
    return any(file.filename for file in request.files.values())


def _next_step(error: LobbyError) -> str:
    if isinstance(error, PasswordNeededError) and _brings_a_file():
        return str(_("Confirm that it’s you, then choose the file again. Browsers do not send a file twice."))
    return error.next_step


def _way_on(error: LobbyError) -> tuple[str, str] | None:
    user = maybe_user()
    if isinstance(error, errors.FeatureOffError) and user is not None and user.is_admin:
        return _("Addons"), url_for("addons.index")
    if not isinstance(error, PasswordNeededError):
        return None
    has_password = user is None or user.has_password
    words = _("Enter your password") if has_password else _("Confirm that it’s you")
    return words, url_for("accounts.confirm", next=_where_from())


def _carried(error: LobbyError) -> _Carried | None:
    """Return the form of this request if it only lacks a password, to be sent again with one."""
    missing = isinstance(error, PasswordNeededError)
    if not missing and not g.get(PASSWORD_ASKED):
        return None
    if request.method in SAFE_METHODS or wants_json() or _brings_a_file():
        return None
    user = maybe_user()
    if user is None:
        return None
    with db.read() as reading:
        ways = ways_of(reading, user, config())
    if not user.has_password and not ways.any:
        return None  # they must sign in again
    first = missing and not isinstance(error, errors.WrongPasswordError)
    sealed: dict[str, tuple[str, str]] = g.get(SEALED) or {}
    left_out = {
        "csrf_token",
        "password",
        "confirmation_code",
        *sealed,
        *(name for name, _ in sealed.values()),
    }
    return _Carried(
        action=request.full_path.rstrip("?"),
        fields=[
            *((name, value) for name, value in request.form.items(multi=True) if name not in left_out),
            *sealed.values(),
        ],
        problem="" if first else f"{error.sentence} {error.next_step}".strip(),
        wrong=g.get(PASSWORD_ASKED) or "",
        back=_where_from(),
        ways=ways,
    )


def render(error: LobbyError, *, status: int | None = None, reference: str | None = None) -> Response:
    """Return *error* as a page, or as JSON if the client asked for that."""
    status = status or error.status
    shown = _ErrorView(
        code=error.code,
        status=status,
        title=str(error.title),
        sentence=error.sentence,
        next_step=_next_step(error),
        reference=reference,
        way_on=_way_on(error),
    )
    if wants_json():
        response = problems.answer(error, status)
    else:
        try:
            carried = _carried(error)
            if carried is not None:
                shown = replace(shown, title=str(PasswordNeededError.title))
                page = render_template("accounts/again.html", error=shown, carried=carried)
            else:
                page = render_template("error.html", error=shown)
            response = make_response(page)
        except Exception:
            # The template of the error page failed, too.
            log.exception("The error page itself failed, reference %s", reference)
            response = make_response(PLAIN.format(reference=reference or _("none")))
    response.status_code = status
    response.headers.update(error.headers)
    return response
