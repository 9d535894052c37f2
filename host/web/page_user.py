"""Tie each page to the person it was made for, who may not be the one signed in any more.

A browser has one session for all its tabs. Each page and each answer says whose it is, and what a page sends
says so too: scripts by a header, streams by an argument, forms by their token. A request of another person's
page is refused before anything happens; ``host/static/js/page-user.js`` covers such a page and reloads it.
"""

from __future__ import annotations

from typing import ClassVar

from flask import Flask, Response, g, request
from flask_babel import lazy_gettext as _l

from host.core.errors import LobbyError, NotSignedInError
from host.web.headers import SAFE_METHODS
from host.web.request_helpers import maybe_user

HEADER = "X-Page-User"
ARGUMENT = "page_user"
NOBODY = "0"
SIGN_OUT = "accounts.logout"


class OtherPersonError(LobbyError):
    """The page was made for another person than the one who is signed in now."""

    code: ClassVar[str] = "other_person"
    status: ClassVar[int] = 409
    title: ClassVar[object] = _l("Someone else is signed in")
    default_sentence: ClassVar[object] = _l(
        "This page was opened by someone else, who is no longer signed in. Nothing was sent or changed."
    )
    default_next_step: ClassVar[object] = _l("To send it, that person has to sign in again.")
    program_step: ClassVar[object] = ""


def install(app: Flask) -> None:
    """Refuse what pages of another person ask for, and say in each answer whose it is.

    Call it before CSRF protection.
    """

    @app.before_request
    def check() -> None:
        named = request.headers.get(HEADER) or request.args.get(ARGUMENT)
        if named is not None and not request.path.startswith("/api/"):  # a cookie opens nothing there
            refuse_other(named)

    @app.after_request
    def tell(response: Response) -> Response:
        if known := _known():
            response.headers[HEADER] = known
        return response

    app.jinja_env.globals.update(page_user=page_user)


def refuse_other(named: str) -> None:
    """Refuse a request of the page of the person *named*, if another one is signed in, or nobody.

    A page of nobody is not refused: what it sends needs a token of its session. Nor is signing out, if
    nobody is signed in any more: it clears what the device keeps.

    :raises OtherPersonError: if it is another one.
    :raises NotSignedInError: if it is nobody.
    """
    if named == NOBODY:
        return
    user = maybe_user()
    if user is None:
        if request.endpoint == SIGN_OUT:
            return
        raise NotSignedInError()
    if named != str(user.id):
        raise OtherPersonError()


def page_user() -> str:
    """Return the id of the person this page is made for: ``0`` for nobody, empty if that isn't known.

    What another site posts comes without the cookie, whoever is signed in.
    """
    maybe_user()
    known = _known()
    foreign = request.method not in SAFE_METHODS and request.headers.get("Sec-Fetch-Site") == "cross-site"
    return "" if known == NOBODY and foreign else known


def _known() -> str:
    if not g.get("lobby_user_known"):
        return ""
    user = maybe_user()
    return NOBODY if user is None else str(user.id)
