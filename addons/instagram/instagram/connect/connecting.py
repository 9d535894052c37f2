"""Save and Disconnect on the settings card."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.accounts import AccountState
from host.sdk.cards import Connection, ConnectRequest, Problems
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret, seal

from ..accounts import Credentials, Details, credentials, find, graph_of, live_ids, place, store
from ..config import COMMENTS_CHANNEL, Flavour
from ..errors import Outcome, classify
from ..graph import GraphError
from ..models import InstagramAccount
from .checks import EnteredCredentials, examine, is_dead, node_of, subscribe
from .comments_switch import LOST_STEP, after_connecting, allowed, uses
from .comments_switch import subscribe as subscribe_to_what_is_on
from .fields import APP_SECRET, HUMAN_AGENT, IG_USER_ID, IG_USERNAME, MOVED, NAME, PAGE_ID, PAGE_NAME, TOKEN

log = logging.getLogger(__name__)

WAY = "pasted"
LEAVE_AGAIN = timedelta(hours=1)


def connect(request: ConnectRequest) -> Connection | Problems:
    """Check pasted credentials with Meta, subscribe the Page, and return the connection to store.

    When editing, an empty secret keeps the stored one.
    """
    if request.account is not None and IG_USER_ID.name not in request.values:
        return _changed(request, request.account)
    given = _given(request)
    if isinstance(given, Problems):
        return given
    checked = examine(given, request.taken)
    if not isinstance(checked, Details):
        return Problems(checked)
    if not given.ig_user_id and (moved := _unasked_move(request, checked.ig_user_id)) is not None:
        return moved
    made = connection(
        checked,
        workspace_id=request.workspace_id,
        name=request.values.get(NAME.name, "") or checked.page_name,
        way=WAY,
        settings=_settings(request),
    )
    return made if isinstance(made, Connection) else Problems(made)


def _changed(request: ConnectRequest, account: AccountRef) -> Connection | Problems:
    """Change name and settings of an account that was connected by signing in; its credentials stay."""
    with db.read() as session:
        row = find(session, account.id)
    if row is None:
        return Problems({"": _("This account's credentials are missing. Sign in again.")})
    return Connection(
        external_id=account.external_id,
        name=request.values.get(NAME.name, "") or account.name,
        handle=account.handle,
        way="instagram" if row.flavour == Flavour.LOGIN else "facebook",
        store=lambda _session, _account: None,
        settings=_settings(request),
        renewed=False,
    )


def _settings(request: ConnectRequest) -> dict[str, object]:
    return {"human_agent": request.values.get(HUMAN_AGENT.name) == "1"}


def connection(
    checked: Details,
    *,
    workspace_id: int,
    name: str,
    way: str,
    settings: Mapping[str, object] | None = None,
    comments: bool = False,
) -> Connection | dict[str, str]:
    """Subscribe the account in *checked* at Meta; return the connection to store, or sentences by field.

    :param comments: whether to switch comments on; if already on, they stay on.
    """
    had_comments = _has_comments(workspace_id, checked.ig_user_id)
    comments = (comments or had_comments) and allowed(checked.flavour, checked.scopes)
    loses = had_comments and not comments
    subscribed = subscribe(checked, comments=comments)
    if isinstance(subscribed, dict):
        return subscribed
    details, fresh = subscribed

    def write(session: Session, account: AccountRef) -> None:
        store(session, account, details)

    def undo() -> None:
        graph_of(details.flavour, details.token, details.app_secret).unsubscribe(node_of(details))

    return Connection(
        external_id=details.ig_user_id,
        name=name,
        handle=f"@{details.ig_username}" if details.ig_username else f"Instagram …{details.ig_user_id[-4:]}",
        way=way,
        store=write,
        undo=undo if fresh else None,
        after=partial(after_connecting, on=comments),
        settings=settings or {},
        lost=_("Comments of this account stopped: the permission for them was not given.") if loses else "",
        lost_step=_(LOST_STEP) if loses else "",
    )


def _has_comments(workspace_id: int, ig_user_id: str) -> bool:
    """Return whether the comments of an Instagram account are connected in this workspace."""
    host = db.host_table("channel_accounts")
    query = sa.select(host.c.id).where(
        host.c.workspace_id == workspace_id,
        host.c.channel == COMMENTS_CHANNEL,
        host.c.external_id == ig_user_id,
        host.c.state != AccountState.DISCONNECTED,
    )
    with db.read() as session:
        return session.scalar(query.limit(1)) is not None


def _given(request: ConnectRequest) -> EnteredCredentials | Problems:
    values = request.values
    ig_user_id = values.get(IG_USER_ID.name) or (request.account.external_id if request.account else "")
    kept: Credentials | None = None
    moved = _unasked_move(request, ig_user_id)
    if moved is not None:
        return moved
    if request.account is not None:
        if ig_user_id != request.account.external_id:
            return Problems(
                {
                    IG_USER_ID.name: _(
                        "This card is for %(handle)s and keeps its conversations. To connect a different "
                        "account, close this form and choose Configure.",
                        handle=request.account.handle,
                    )
                }
            )
        try:
            kept = credentials(request.account.id)
        except SecretUnreadableError:
            log.error("the credentials of account %s cannot be read; asking for new ones", request.account.id)
    token, app_secret = values.get(TOKEN.name, ""), values.get(APP_SECRET.name, "")
    missing = _("It's no longer stored. Paste it again.")
    problems = {
        name: missing
        for name, value in ((TOKEN.name, token), (APP_SECRET.name, app_secret))
        if not value and kept is None
    }
    if problems:
        return Problems(problems)
    return EnteredCredentials(
        page_id=values[PAGE_ID.name],
        page_name=values.get(PAGE_NAME.name, ""),
        ig_user_id=ig_user_id,
        ig_username=values.get(IG_USERNAME.name, ""),
        token=Secret(token) if token or kept is None else kept.token,
        app_secret=Secret(app_secret) if app_secret or kept is None else kept.app_secret,
        new_token=bool(token),
        new_app_secret=bool(app_secret),
    )


def _unasked_move(request: ConnectRequest, ig_user_id: str) -> Problems | None:
    """Return the problem if connecting would move an account to another Page without being asked to.

    :param ig_user_id: empty if only Meta knows it yet.
    """
    moved = moves(request.workspace_id, ig_user_id, request.values[PAGE_ID.name]) if ig_user_id else ""
    if not moved or request.values.get(MOVED.name) == "1":
        return None
    advice = _("To move it there, tick the box below.")
    return Problems({PAGE_ID.name: f"{moved} {advice}"})


def moves(workspace_id: int, ig_user_id: str, page_id: str) -> str:
    """Return a sentence if connecting moves an account of the workspace to another Page, else an empty
    string.
    """
    query = (
        sa.select(InstagramAccount.page_id, InstagramAccount.page_name)
        .where(InstagramAccount.workspace_id == workspace_id, InstagramAccount.ig_user_id == ig_user_id)
        .order_by(InstagramAccount.id.desc())
        .limit(1)
    )
    with db.read() as session:
        before = session.execute(query).one_or_none()
    if before is None or not before.page_id or before.page_id == page_id:
        return ""
    return str(
        _(
            "This account is currently connected through the Page “%(page)s”. Choosing another Page "
            "moves it there. All its conversations stay.",
            page=before.page_name or before.page_id,
        )
    )


def disconnect(account: AccountRef) -> None:
    """End the subscription at Meta and delete the token. If Meta is unreachable, a job tries again later.

    If comments stay connected without messages, or messages without comments, their fields stay subscribed.

    :raises GraphError: if Meta could not be notified yet; the account is disconnected in Lobby anyway.
    :raises SecretUnreadableError: if the credentials for notifying Meta cannot be decrypted.
    """
    found = credentials(account.id)
    if found is None:
        return
    try:
        leave(found)
    except GraphError:
        db.write(leave_later, account.id)
        raise


def leave(found: Credentials) -> None:
    """Unsubscribe at Meta, unless another account needs it, and delete the token.

    If its messages or comments are still connected, reduce the subscription to their fields instead.

    :raises GraphError: if Meta could not be notified. A token that Meta no longer accepts needs no
        notification.
    """
    if any(uses(found.account_id)):
        subscribe_to_what_is_on(found)
        db.write(_left, found.account_id)
        return
    if found.node and found.may_subscribe and not _needed_elsewhere(found):
        try:
            found.graph().unsubscribe(found.node)
        except GraphError as error:
            if classify(error).outcome is not Outcome.RECONNECT or not is_dead(found):
                raise
    db.write(drop_token, found.account_id)


def _left(session: Session, account_id: int) -> None:
    """Record that Meta was notified."""
    row = find(session, account_id)
    if row is not None:
        row.leave_due_at = None


def drop_token(session: Session, account_id: int) -> None:
    """Delete the token of a disconnected account; its app secret still verifies late deliveries."""
    row = find(session, account_id)
    if row is not None and not live_ids(session, account_id):
        row.token = seal(Secret(""), place(row, "token"))
        row.token_expires_at = row.leave_due_at = None


def leave_later(session: Session, account_id: int) -> None:
    """Record that Meta has yet to be notified."""
    row = find(session, account_id)
    if row is not None and account_id not in live_ids(session, account_id):
        row.leave_due_at = clock.now() + LEAVE_AGAIN


def _needed_elsewhere(found: Credentials) -> bool:
    """Return whether a connected account uses the same Page or login, and the same Meta app."""
    table = InstagramAccount
    same = (
        table.page_id == found.page_id
        if found.page_id
        else sa.and_(table.flavour == Flavour.LOGIN, table.ig_user_id == found.ig_user_id)
    )
    with db.read() as session:
        mine = find(session, found.account_id)
        if mine is None:
            return False
        others = sa.select(InstagramAccount.account_id).where(
            same, InstagramAccount.app_id == mine.app_id, InstagramAccount.id != mine.id
        )
        return any(live_ids(session, one) for one in session.scalars(others))
