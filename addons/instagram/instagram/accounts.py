"""The addon's rows: credentials for calls, and the index by which the webhook finds accounts."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.accounts import AccountOverview, AccountState, mark_needs_reconnect, overview
from host.sdk.channel import AccountRef
from host.sdk.secrets import Place, Secret, SecretUnreadableError, fingerprint, seal, unseal

from .config import CHANNEL, COMMENTS_CHANNEL, Flavour, app_of
from .graph import Graph
from .models import InstagramAccount, WorkspaceApp
from .permissions import SUBSCRIBES

log = logging.getLogger(__name__)

TABLE = InstagramAccount.__tablename__
MOST_SECRETS = 200
NAMELESS = "account "
CATALOGUE_SCOPE = "catalog_management"


def app_name(app_id: str, ig_user_id: str) -> str:
    """Return the key of an app: its id, or the account if Meta did not return the id."""
    return app_id or f"{NAMELESS}{ig_user_id}"


def graph_of(flavour: Flavour, token: Secret, app_secret: Secret) -> Graph:
    """Return a client for *token*; without proof on Instagram Login, where Meta's docs don't ask for one."""
    return Graph(flavour, token, app_secret, prove=flavour is Flavour.PAGE)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for calling Meta for one account.

    :param account_id: the account they were requested for: the main account or its comments account.
    """

    account_id: int
    flavour: Flavour
    page_id: str
    ig_user_id: str
    token: Secret
    app_secret: Secret
    scopes: tuple[str, ...] = ()
    app_id: str = ""
    username: str = ""

    @property
    def may_subscribe(self) -> bool:
        """Whether its permissions allow subscribing, and reading the subscriptions."""
        return may_subscribe(self.flavour, self.scopes)

    @property
    def may_read_catalogue(self) -> bool:
        """Whether its token may read the catalogue of its shop."""
        return may_read_catalogue(self.flavour, self.scopes)

    def graph(self) -> Graph:
        return graph_of(self.flavour, self.token, self.app_secret)

    @property
    def app(self) -> str:
        """Return the key of its app: the id, or the account if Meta did not give the id."""
        return app_name(self.app_id, self.ig_user_id)

    @property
    def node(self) -> str:
        """The id of the Graph API node with the account's edges: the Page, or the account itself."""
        return self.page_id if self.flavour is Flavour.PAGE else self.ig_user_id


@dataclass(frozen=True, slots=True)
class Details:
    """Connection details that a person entered and Meta confirmed, ready to be stored."""

    page_id: str
    page_name: str
    ig_user_id: str
    ig_username: str
    app_id: str
    token: Secret
    app_secret: Secret
    token_expires_at: datetime | None
    scopes: tuple[str, ...]
    subscribed_fields: tuple[str, ...]
    new_token: bool = True
    new_app_secret: bool = True
    flavour: Flavour = Flavour.PAGE
    person_id: str = ""

    @property
    def may_subscribe(self) -> bool:
        """Whether its permissions allow subscribing, and reading the subscriptions."""
        return may_subscribe(self.flavour, self.scopes)


def may_read_catalogue(flavour: Flavour, scopes: Sequence[str]) -> bool:
    """Return whether a token with these permissions may read the shop's catalogue."""
    return flavour is Flavour.PAGE and CATALOGUE_SCOPE in scopes


def may_subscribe(flavour: Flavour, scopes: Sequence[str]) -> bool:
    """Return whether a token with these permissions may subscribe its Page or account."""
    return flavour is Flavour.LOGIN or not scopes or SUBSCRIBES in scopes


def find(session: Session, account_id: int) -> InstagramAccount | None:
    """Return the row of an account, even if disconnected; for a comments account, that of its main
    account.
    """
    host = db.host_table("channel_accounts")
    home = (
        sa.select(host.c.beside_id)
        .where(host.c.id == account_id, host.c.channel == COMMENTS_CHANNEL)
        .scalar_subquery()
    )
    named = InstagramAccount.account_id.in_([account_id, home])
    return session.scalar(sa.select(InstagramAccount).where(named))


def live_ids(session: Session, account_id: int) -> list[int]:
    """Return the connected accounts that share an account's credentials, the one for messages first."""
    row = find(session, account_id)
    if row is None:
        return []
    host = db.host_table("channel_accounts")
    beside = sa.and_(host.c.beside_id == row.account_id, host.c.channel == COMMENTS_CHANNEL)
    query = (
        sa.select(host.c.id)
        .where(
            sa.or_(host.c.id == row.account_id, beside),
            host.c.state != AccountState.DISCONNECTED,
        )
        .order_by(host.c.channel == COMMENTS_CHANNEL)
    )
    return list(session.scalars(query))


def shown_id(account_id: int) -> int:
    """Return the account whose card shows information about an account's credentials."""
    with db.read() as session:
        return next(iter(live_ids(session, account_id)), account_id)


def in_use() -> list[AccountOverview]:
    """Return one account per credentials in use: the comments account only if messages are off."""
    found = overview(CHANNEL)
    known = {one.account.id for one in found}
    return found + [one for one in overview(COMMENTS_CHANNEL) if one.account.beside_id not in known]


def stop(account_id: int, reason: str) -> None:
    """Record that Meta no longer accepts an account's credentials, for its messages and its comments."""
    with db.read() as session:
        live = live_ids(session, account_id)
    for one in live:
        mark_needs_reconnect(one, reason)


def place(row: InstagramAccount, column: str) -> Place:
    """Return the place of a sealed value of *row*."""
    return Place(TABLE, column, row.workspace_id, row.uuid)


def app_place(own: WorkspaceApp) -> Place:
    """Return the place of the sealed secret of a workspace's own app."""
    return Place(WorkspaceApp.__tablename__, "app_secret", own.workspace_id, own.uuid)


def own_app(session: Session, workspace_id: int, flavour: Flavour) -> WorkspaceApp | None:
    """Return the workspace's own app for this sign-in, or None."""
    return session.scalar(
        sa.select(WorkspaceApp).where(
            WorkspaceApp.workspace_id == workspace_id, WorkspaceApp.flavour == flavour
        )
    )


def credentials(account_id: int) -> Credentials | None:
    """Return the stored credentials of an account, or None if they were deleted.

    :raises SecretUnreadableError: if they cannot be decrypted.
    """
    installed = None
    with db.read() as session:
        row = find(session, account_id)
        if row is not None and row.person_id:
            flavour = Flavour(row.flavour)
            installed = None if own_app(session, row.workspace_id, flavour) else app_of(flavour)
    token = None if row is None else unseal(row.token, place(row, "token"))
    if row is None or not token:
        return None
    return Credentials(
        account_id=account_id,
        flavour=Flavour(row.flavour),
        page_id=row.page_id or "",
        ig_user_id=row.ig_user_id,
        scopes=tuple(row.scopes),
        app_id=row.app_id,
        username=row.ig_username,
        token=token,
        # For the installation's app, the operator's setting wins: its secret may have been reset since.
        app_secret=installed.secret
        if installed is not None and installed.id == row.app_id
        else unseal(row.app_secret, place(row, "app_secret")),
    )


def sharing_app(account_id: int) -> tuple[int, ...]:
    """Return the other accounts whose tokens belong to the same Meta app, including comments accounts."""
    host = db.host_table("channel_accounts")
    with db.read() as session:
        row = find(session, account_id)
        if row is None or not row.app_id:
            return ()
        same = sa.select(InstagramAccount.account_id).where(InstagramAccount.app_id == row.app_id)
        beside = sa.select(host.c.id).where(host.c.channel == COMMENTS_CHANNEL, host.c.beside_id.in_(same))
        found = {*session.scalars(same), *session.scalars(beside)}
    return tuple(sorted(found - {account_id}))


def store(session: Session, account: AccountRef, details: Details) -> None:
    """Store confirmed details; an account keeps its verify token."""
    now = clock.now()
    row = find(session, account.id)
    if row is None:
        row = InstagramAccount(
            uuid=str(uuid4()),
            account_id=account.id,
            workspace_id=account.workspace_id,
            created_at=now,
            verify_token_set_at=now,
        )
        row.verify_token = seal(new_verify_token(), place(row, "verify_token"))
        session.add(row)
    row.flavour = details.flavour
    row.page_id, row.page_name = details.page_id or None, details.page_name[:255]
    row.ig_user_id, row.ig_username = details.ig_user_id, details.ig_username[:255]
    row.app_id = details.app_id[:32]
    row.token = seal(details.token, place(row, "token"))
    row.app_secret = seal(details.app_secret, place(row, "app_secret"))
    row.secret_fingerprint = fingerprint(details.app_secret)
    row.token_expires_at = details.token_expires_at
    row.renewal_failed_at, row.renewal_error = None, None
    row.person_id, row.leave_due_at = details.person_id or None, None
    row.scopes, row.subscribed_fields = list(details.scopes), list(details.subscribed_fields)
    row.checked_at = now
    if details.new_token or row.token_set_at is None:
        row.token_set_at = now
    if details.new_app_secret or row.app_secret_set_at is None:
        row.app_secret_set_at = now
    session.flush()


def new_verify_token() -> Secret:
    """Return a fresh verify token, safe in a URL."""
    return Secret(f"lobby-{secrets.token_urlsafe(24)}")


def set_verify_token(session: Session, account_id: int, token: Secret) -> bool:
    """Replace an account's verify token; the old one stops working immediately.

    Return False if the account has no row.
    """
    row = find(session, account_id)
    if row is None:
        return False
    row.verify_token = seal(token, place(row, "verify_token"))
    row.verify_token_set_at = clock.now()
    session.flush()
    return True


@dataclass(frozen=True, slots=True)
class Bound:
    """The data of an account that the webhook needs. ``secret`` is empty if it cannot be decrypted."""

    account_id: int
    ig_user_id: str
    live: bool
    secret: bytes = field(repr=False)
    verify_token: bytes = field(repr=False)
    flavour: Flavour = Flavour.PAGE
    others: tuple[bytes, ...] = field(default=(), repr=False)
    """Other secrets its app may sign with: the one stored for the app itself, which may be newer."""
    comments_id: int | None = None
    """Its comments account; None if comments are switched off."""
    app_id: str = ""
    catalogue: bool = False
    """Whether its token may read the catalogue of its shop."""
    username: str = ""

    @property
    def app(self) -> str:
        return app_name(self.app_id, self.ig_user_id)

    @property
    def is_used(self) -> bool:
        """Whether its messages or its comments are connected."""
        return self.live or self.comments_id is not None

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """All secrets that deliveries for the account may be signed with."""
        return tuple(one for one in (self.secret, *self.others) if one)

    def is_signed_by(self, secret: bytes) -> bool:
        """Return whether *secret*, which is not empty, is one of :attr:`secrets`."""
        return secret == self.secret or secret in self.others


@dataclass(frozen=True, slots=True)
class Book:
    """All accounts of the installation, including disconnected ones, by the ids that deliveries use.

    ``by_id`` holds IG User IDs and Page IDs as bytes, as in a body. ``secrets`` holds each distinct app
    secret once: those of live accounts first, then those of apps people sign in to.

    :ivar with_own_app: workspaces that have their own app.
    """

    by_id: Mapping[bytes, tuple[Bound, ...]] = field(default_factory=dict)
    by_account: Mapping[str, tuple[Bound, ...]] = field(default_factory=dict)
    by_uuid: Mapping[str, Bound] = field(default_factory=dict)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    with_own_app: frozenset[int] = frozenset()


def load_book() -> Book:
    """Load all accounts and decrypt their secrets. Runs when an account changes, not per delivery."""
    host = db.host_table("channel_accounts")
    beside = host.alias("beside")
    query = (
        sa.select(InstagramAccount, host.c.uuid, host.c.state, beside.c.id, beside.c.uuid)
        .join(host, host.c.id == InstagramAccount.account_id)
        .outerjoin(
            beside,
            sa.and_(
                beside.c.beside_id == InstagramAccount.account_id,
                beside.c.channel == COMMENTS_CHANNEL,
                beside.c.state != AccountState.DISCONNECTED,
            ),
        )
        .where(host.c.channel == CHANNEL)
        .order_by(InstagramAccount.id.desc())
    )
    with db.read() as session:
        rows = [tuple(row) for row in session.execute(query)]
        own = list(session.scalars(sa.select(WorkspaceApp)))
    apps = [(one.workspace_id, one.app_id, _opened(one.app_secret, app_place(one))) for one in own]
    installation = [app for flavour in Flavour if (app := app_of(flavour)) is not None]
    installed = [(None, app.id, app.secret.reveal().encode()) for app in installation]
    # Accounts in use first.
    rows.sort(key=lambda row: bool(row[2] == AccountState.DISCONNECTED and row[3] is None))
    by_id: dict[bytes, list[Bound]] = {}
    by_account: dict[str, list[Bound]] = {}
    by_uuid: dict[str, Bound] = {}
    live: list[bytes] = []
    gone: list[bytes] = []
    for row, account_uuid, state, comments_id, comments_uuid in rows:
        bound = Bound(
            account_id=row.account_id,
            ig_user_id=row.ig_user_id,
            live=state != AccountState.DISCONNECTED,
            secret=_open(row, "app_secret"),
            verify_token=_open(row, "verify_token"),
            others=tuple(
                secret
                for workspace_id, app_id, secret in (*apps, *installed)
                if app_id == row.app_id and workspace_id in {None, row.workspace_id}
            ),
            flavour=Flavour(row.flavour),
            comments_id=comments_id,
            app_id=row.app_id,
            catalogue=may_read_catalogue(Flavour(row.flavour), row.scopes or ()),
            username=row.ig_username,
        )
        by_account.setdefault(row.ig_user_id, []).append(bound)
        for name in filter(None, {row.ig_user_id, row.page_id}):
            by_id.setdefault(name.encode(), []).append(bound)
        by_uuid[account_uuid] = bound
        if comments_uuid is not None:
            by_uuid[comments_uuid] = bound
        (live if bound.is_used else gone).extend(bound.secrets)
    signing = [secret for _, _, secret in (*installed, *apps)]
    distinct = dict.fromkeys(filter(None, live + signing + gone))
    return Book(
        by_id={key: tuple(found) for key, found in by_id.items()},
        by_account={key: tuple(found) for key, found in by_account.items()},
        by_uuid=by_uuid,
        secrets=tuple(distinct)[:MOST_SECRETS],
        with_own_app=frozenset(one.workspace_id for one in own),
    )


def _open(row: InstagramAccount, column: str) -> bytes:
    return _opened(getattr(row, column), place(row, column))


def _opened(sealed: str, where: Place) -> bytes:
    try:
        return unseal(sealed, where).reveal().encode()
    except SecretUnreadableError as error:
        log.error("a sealed value of %s.%s cannot be read: %s", where.table, where.column, error)
        return b""


book = db.Snapshot(load_book)
