"""Helpers of views: the signed-in user, the workspace, permissions, flashes, safe redirects."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import unquote

import msgspec
from flask import current_app, flash, g, has_request_context, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from host.core import clock, db
from host.core.config import Config
from host.core.errors import (
    ArchivedError,
    ForbiddenError,
    InvalidError,
    LobbyError,
    NewPasswordNeededError,
    NotFoundError,
    NotSignedInError,
    SecondFactorNeededError,
)
from host.core.ids import MAX_ID, read_id
from host.core.ports import ShownGeneration
from host.events.models import ActorKind
from host.features import registry
from host.models.users import Role
from host.users import reach, roles, sessions
from host.users.actor import Acting, Actor, DeskWork, UnitOfWork
from host.users.desk_settings import Desk
from host.users.reach import Accounts
from host.users.roles import Permission
from host.users.sessions import CurrentMembership, CurrentUser

__all__ = [
    "CurrentMembership",
    "CurrentUser",
    "CurrentWorkspace",
    "Permission",
    "Role",
    "admin_required",
    "answers_json",
    "before_new_password",
    "before_second_factor",
    "body_limit",
    "clear_device",
    "client_address",
    "config",
    "current_user",
    "desk",
    "external_url",
    "flash_bad",
    "flash_good",
    "form_version",
    "generation",
    "id_argument",
    "id_in",
    "in_archive_too",
    "login_required",
    "maybe_user",
    "needs_of",
    "open_to_all",
    "passive",
    "request_id",
    "safe_next",
    "seen_accounts",
    "shown_feature",
    "sign_in",
    "sign_out",
    "url_for_each",
    "wants_json",
    "workspace_view",
]

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=ResponseReturnValue)
View = Callable[..., ResponseReturnValue]

PREFETCH = "X-Prefetch"
"""The header of a request that prefetches a page."""

TOKEN = "login"  # noqa: S105 - the name of the entry in the cookie, not a password
THEMES = ("auto", "light", "dark")

_LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


class CurrentWorkspace(msgspec.Struct, frozen=True):
    """The workspace of a page, and the membership of the signed-in person.

    :param accounts: the accounts they see; None: all.
    :param archived: whether it is read-only.
    :param ends_at: when it will be deleted, unless that is cancelled.
    :param language: from its settings; empty: none.
    :param picture: a value that is different for each of its pictures; empty without one.
    """

    id: int
    name: str
    role: Role
    accounts: Accounts = None
    archived: bool = False
    ends_at: datetime | None = None
    language: str = ""
    picture: str = ""

    @classmethod
    def of(cls, membership: CurrentMembership) -> CurrentWorkspace:
        return cls(
            membership.workspace_id,
            membership.workspace_name,
            membership.role,
            membership.accounts,
            membership.archived,
            membership.ends_at,
            membership.language,
            membership.picture,
        )

    def may(self, permission: Permission) -> bool:
        """Return whether the person has *permission* here; in an archived workspace, only for reading."""
        stopped = self.archived and permission in {Permission.ANSWER, Permission.ERASE}
        return not stopped and roles.may(self.role, permission)


def generation() -> ShownGeneration:
    """Return the generation of addons this request runs on."""
    return cast(ShownGeneration, current_app.extensions["lobby.generation"])


def config() -> Config:
    """Return the settings of this process."""
    return cast(Config, current_app.extensions["lobby.config"])


def desk() -> Desk:
    """Return the appearance and permissions of the desk."""
    return cast(Desk, current_app.extensions["lobby.desk"])


# The signed-in user


def maybe_user() -> CurrentUser | None:
    """Return the signed-in user, or None. Looked up once per request, at the first call."""
    if not has_request_context():
        return None
    if "lobby_user" not in g:
        g.lobby_user = None  # if anything below fails, the error page shows nobody as signed in
        g.lobby_user = _load_user()
        g.lobby_user_known = True
    return cast("CurrentUser | None", g.lobby_user)


def _load_user() -> CurrentUser | None:
    token = session.get(TOKEN)
    if not isinstance(token, str):
        return None
    with db.read() as reading:
        user = sessions.load(reading, token)
    if user is None:
        session.pop(TOKEN, None)
        return None
    if clock.now() - user.seen_at >= sessions.TOUCH_EVERY and not is_passive():
        # If first called inside a write, the next request records it.
        with suppress(db.NestedWriteError):
            db.write(sessions.touch, user.session_id)
    return user


def is_passive() -> bool:
    """Return whether this request doesn't mean an active person, such as a poll or a prefetched page."""
    ahead = request.method == "GET" and PREFETCH in request.headers
    return ahead or getattr(_view(), "lobby_passive", False)


def current_user() -> CurrentUser:
    """Return the signed-in user.

    :raises NotSignedInError: if there is none.
    :raises NewPasswordNeededError: if they must choose a new password first.
    :raises SecondFactorNeededError: if they must set up a second factor first.
    """
    user = maybe_user()
    if user is None:
        raise NotSignedInError()
    if user.new_password and not getattr(_view(), "lobby_before_new_password", False):
        raise NewPasswordNeededError()
    if user.no_second and not user.new_password and not getattr(_view(), "lobby_before_second", False):
        raise SecondFactorNeededError()
    return user


def _view() -> View | None:
    """Return the view of this request."""
    return cast("View | None", current_app.view_functions.get(request.endpoint or ""))


def sign_in(token: str) -> None:
    """Put the token of a new session into a fresh cookie."""
    chosen = session.get("workspace")
    session.clear()
    session.permanent = True
    session[TOKEN] = token
    if chosen is not None:
        session["workspace"] = chosen
    g.pop("lobby_user", None)
    g.pop("lobby_user_known", None)


def sign_out() -> None:
    """Empty the cookie."""
    session.clear()
    g.lobby_user = None
    g.lobby_user_known = True


def clear_device(response: BaseResponse) -> BaseResponse:
    """Let the browser delete what it keeps of Lobby."""
    # Not "cookies": that would sign people out of other sites under the same domain.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


# Permissions


def open_to_all(view: Callable[P, R]) -> Callable[P, R]:
    """Declare that a view needs no signed-in user."""
    view.lobby_needs = Permission.OPEN  # type: ignore[attr-defined]
    return view


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Require a signed-in user; others are redirected to the login page, or get a 401."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        current_user()
        return view(*args, **kwargs)

    guarded.lobby_needs = Permission.OWN_ACCOUNT  # type: ignore[attr-defined]
    return guarded


def admin_required(view: Callable[P, R]) -> Callable[P, R]:
    """Require an admin of the installation."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not current_user().is_admin:
            raise ForbiddenError(
                _l("Only desk admins can view and change the installation."),
                next_step=_l("Ask a desk admin."),
            )
        return view(*args, **kwargs)

    guarded.lobby_needs = Permission.DESK  # type: ignore[attr-defined]
    return guarded


def workspace_view(
    needs: Permission | None = None,
) -> Callable[[Callable[Concatenate[int, P], R]], Callable[Concatenate[int, P], R]]:
    """Guard a view below ``/w/<int:workspace_id>/``: only members with the permission it *needs*.

    Sets ``g.workspace`` (:class:`CurrentWorkspace`) and ``g.role``. Other users get a 404, and members
    without the permission a 403. A member limited to some accounts gets a 404 if the address names an object
    of another account. The view still gets ``workspace_id`` as its first argument.

    :param needs: None: permission to read for viewing, to reply for anything else.
    """

    def decorate(view: Callable[Concatenate[int, P], R]) -> Callable[Concatenate[int, P], R]:
        @wraps(view)
        def guarded(workspace_id: int, *args: P.args, **kwargs: P.kwargs) -> R:
            membership = current_user().membership(workspace_id)
            if membership is None:
                raise NotFoundError()
            g.workspace = CurrentWorkspace.of(membership)
            g.role = membership.role
            looks = request.method in {"GET", "HEAD", "OPTIONS"}
            if not membership.may(needs or (Permission.READ if looks else Permission.ANSWER)):
                raise ForbiddenError()
            if membership.archived and not looks and not getattr(_view(), "lobby_in_archive", False):
                raise ArchivedError()
            if membership.accounts is not None:
                _check_reach(membership)
            if session.get("workspace") != workspace_id:
                session["workspace"] = workspace_id
            return view(workspace_id, *args, **kwargs)

        guarded.lobby_needs = needs or Permission.READ  # type: ignore[attr-defined]
        return cast("Callable[Concatenate[int, P], R]", guarded)

    return decorate


def needs_of(endpoint: str) -> Permission:
    """Return the permission the view of *endpoint* declares; without a declaration, it is for admins."""
    view = current_app.view_functions.get(endpoint)
    return cast(Permission, getattr(view, "lobby_needs", Permission.DESK))


def _check_reach(membership: CurrentMembership) -> None:
    """Refuse an address that names an object of an account the member does not see.

    :raises NotFoundError: as if it did not exist.
    """
    assert membership.accounts is not None
    with db.read() as reading:
        if not reach.sees(
            reading,
            membership.workspace_id,
            current_user().id,
            membership.accounts,
            {name: value for name, value in (request.view_args or {}).items() if _is_id(name)},
        ):
            raise NotFoundError()


def _is_id(name: str) -> bool:
    return name.endswith("_id")


def seen_accounts() -> Accounts:
    """Return the accounts the signed-in person sees in the workspace of the page; None: all."""
    return cast(CurrentWorkspace, g.workspace).accounts


def before_new_password(view: Callable[P, R]) -> Callable[P, R]:
    """Declare that a view is open to people who must choose a new password first."""
    view.lobby_before_new_password = True  # type: ignore[attr-defined]
    return view


def before_second_factor(view: Callable[P, R]) -> Callable[P, R]:
    """Declare that a view is open to people who must set up a second factor first."""
    view.lobby_before_second = True  # type: ignore[attr-defined]
    return view


def in_archive_too(view: Callable[P, R]) -> Callable[P, R]:
    """Declare that a view may change data in an archived workspace. Put it outermost."""
    view.lobby_in_archive = True  # type: ignore[attr-defined]
    return view


def passive(view: Callable[P, R]) -> Callable[P, R]:
    """Declare that calls of this view do not mean an active person, such as live streams and polling."""
    view.lobby_passive = True  # type: ignore[attr-defined]
    return view


def body_limit(
    size: int, *, allowed: Callable[[], object] = current_user
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view accept up to *size* bytes instead of ``MAX_CONTENT_LENGTH``.

    :param allowed: called before any of the body is read; raises for callers who may not send that much.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        view.lobby_body_limit = size  # type: ignore[attr-defined]
        view.lobby_body_allowed = allowed  # type: ignore[attr-defined]
        return view

    return decorate


def answers_json(view: Callable[P, R]) -> Callable[P, R]:
    """Declare that a view is for programs: its errors are JSON whatever the client accepts."""
    view.lobby_json = True  # type: ignore[attr-defined]
    return view


def shown_workspace() -> CurrentWorkspace | None:
    """Return the workspace in the navigation: the page's, else the last visited one, else the first."""
    workspace = g.get("workspace")
    if workspace is not None:
        return cast(CurrentWorkspace, workspace)
    user = maybe_user()
    if user is None or not user.memberships:
        return None
    last = session.get("workspace")
    membership = (user.membership(last) if isinstance(last, int) else None) or user.memberships[0]
    return CurrentWorkspace.of(membership)


def shown_feature() -> str:
    """Return the name of the feature of this page, if it can be turned off; else an empty string."""
    module = getattr(_view(), "__module__", "")
    optional = (one for one in registry.active() if one.optional)
    return next((one.name for one in optional if module.startswith(f"{one.package}.")), "")


def theme_choice() -> str:
    """Return ``auto``, ``light`` or ``dark``: the person's choice, else what the browser remembers."""
    user = maybe_user()
    theme = user.theme if user is not None else request.cookies.get("lobby-theme", "auto")
    return theme if theme in THEMES else "auto"


# Other helpers


def actor() -> Actor:
    """Return the signed-in person as the actor, with their address."""
    user = current_user()
    return Actor(ActorKind.USER, user.id, remote=client_address(), person=user.name)


def write(use_case: Callable[Concatenate[UnitOfWork, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a use case in one write of the page's workspace, by the signed-in person."""
    return acting().write(use_case, *args, **kwargs)


def acting() -> Acting:
    """Return the signed-in person in the page's workspace, now."""
    workspace: CurrentWorkspace = g.workspace
    return Acting(workspace.id, actor(), clock.now(), workspace.accounts)


def write_desk(use_case: Callable[Concatenate[DeskWork, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a use case about the desk or a person in one write, by whoever is signed in."""
    return db.write(lambda session: use_case(desk_work(session), *args, **kwargs))


def desk_work(session: Session) -> DeskWork:
    """Return the unit of work of the signed-in person in *session*, or of nobody at that address."""
    nobody = Actor(ActorKind.SYSTEM, remote=client_address())
    return DeskWork(session, nobody if maybe_user() is None else actor(), clock.now())


def flash_good(sentence: str, at: str = "") -> None:
    """Show a success message on the next page.

    :param at: id of the section it concerns, if the page can show it there.
    """
    flash(sentence, f"good {at}".strip())


def flash_bad(sentence: str, at: str = "") -> None:
    """Show an error message on the next page; *at* as in :func:`flash_good`."""
    flash(sentence, f"bad {at}".strip())


def safe_next(target: str | None, default: str = "/") -> str:
    """Return *target* if it is a path on this desk, else *default*.

    Backslashes, control characters and a second slash are refused before and after decoding: browsers read
    ``/\\host`` and ``/<tab>/host`` as another host.
    """
    if not target:
        return default
    for form in (target, unquote(target), unquote(unquote(target))):
        if not _LOCAL_PATH.fullmatch(form):
            return default
    return target


def client_address() -> str:
    """Return the client's address, behind ``LOBBY_PROXIES`` trusted proxies."""
    return (request.remote_addr or "") if has_request_context() else ""


def request_id() -> str:
    """Return the id of this request, as in the log, on error pages and in responses of the API."""
    if "request_id" not in g:
        g.request_id = request.environ.get("lobby.request_id") or secrets.token_hex(8)
    return cast(str, g.request_id)


def external_url(endpoint: str, **values: Any) -> str:
    """Return the absolute link to a page, on ``LOBBY_PUBLIC_URL`` whatever the Host header."""
    return config().public_url + url_for(endpoint, _external=False, **values)


def url_for_each(endpoint: str, varying: str, **values: Any) -> Callable[[int], str]:
    """Return a function that builds addresses of *endpoint* that differ only in one id.

    A list has one per row, and ``url_for`` takes a fifth of the row's time.

    :param varying: the name of that id in the path.
    """
    values[varying] = MAX_ID
    before, _number, after = url_for(endpoint, **values).partition(str(MAX_ID))
    return lambda id_: f"{before}{id_}{after}"


def form_version() -> int | None:
    """Return the settings version the form was rendered with; None if it has none."""
    return form_number("version")


def form_number(name: str) -> int | None:
    """Return the number in the form field *name*; None if it is missing or not a number."""
    given = request.form.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else None


def id_argument(name: str) -> int | None:
    """Return the id given as query parameter *name*, or None if there is none.

    :raises InvalidError: for anything that is not an id.
    """
    text = request.args.get(name)
    return id_in(text) if text else None


def id_in(text: str, field: str | None = None) -> int:
    """Return *text* as an id.

    :param field: the field of the form that holds it.
    :raises InvalidError: for anything that is not an id.
    """
    found = read_id(text)
    if found is None:
        raise InvalidError(field=field)
    return found


def wants_json() -> bool:
    """Return whether the client prefers JSON to a page."""
    view = _view()
    if request.path.startswith("/api/") or getattr(view, "lobby_json", False):
        return True
    accepted = request.accept_mimetypes
    if not accepted:
        return False
    return accepted["text/html"] == 0 or accepted["application/json"] > accepted["text/html"]


@contextmanager
def flashing(*errors: type[LobbyError]) -> Iterator[None]:
    """Flash one of *errors* raised in the block on the next page; for JSON, raise it."""
    try:
        yield
    except errors as error:
        if wants_json():
            raise
        flash_bad(error.sentence)
