"""The one-time checklist of the Meta app: what we can see ourselves, and what an admin ticks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.cards import Link
from host.sdk.deliveries import DeliverySummary
from host.sdk.i18n import format_date, format_datetime
from host.sdk.i18n import gettext as _

from . import config, dashboard
from .accounts import may_subscribe
from .look import is_old
from .models import ChecklistMark, InstagramAccount

CHANGES_UNSEEN = {"live-mode"}
"""Lines whose state may change without a word: a tick is good for as long as other evidence."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line.

    :param verdict: ``pass``, ``fail`` or ``unknown``; a seen one needs no tick.
    :param seen_at: how old what was seen is.
    :param link: the page at Meta where it is done.
    """

    name: str
    title: str
    text: str
    codes: tuple[str, ...] = ()
    copy: str = ""
    link: Link | None = None
    verdict: str = "unknown"
    evidence: str = ""
    seen_at: datetime | None = None
    ticked_by: str = ""
    can_tick: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at the desk says of one line."""

    verdict: str = ""
    evidence: str = ""
    at: datetime | None = None


def _lines(app_id: str) -> list[Item]:
    return [
        Item(
            "business-app",
            _("An app of type Business"),
            _("In the Meta developer dashboard, under My apps."),
            link=dashboard.home(app_id),
        ),
        Item(
            "instagram-product",
            _("The Instagram product is added"),
            _("In the app, under Add products; Webhooks as well."),
            link=dashboard.products(app_id),
        ),
        Item(
            "permissions",
            _("The permissions are requested"),
            _(
                "The first two are a must; a missing one of the others is a warning on the account. For "
                "comments %(comments)s besides:",
                comments=", ".join(config.comment_scopes(config.Flavour.PAGE)),
            ),
            codes=config.page_scopes(),
            link=dashboard.review(app_id),
        ),
        Item(
            "callback-url",
            _("The callback URL is entered"),
            _("By Lobby, where it holds the app's id and secret; else under Webhooks, Instagram."),
            copy=config.webhook_url(),
            link=dashboard.webhooks(app_id),
        ),
        Item(
            "fields",
            _("The fields are subscribed"),
            _(
                "Under Webhooks, Instagram. Story mentions come under messages, without a field of their own."
                " Tick message_edit, messaging_optins and response_feedback as well where they are listed."
                " For comments: %(comments)s.",
                comments=", ".join(config.object_comment_fields()),
            ),
            codes=config.object_fields(),
            link=dashboard.webhooks(app_id),
        ),
        Item(
            "data-deletion",
            _("The data deletion address is entered"),
            _("Meta can switch off an app that has none. Lobby cannot enter it."),
            copy=config.callback_url("deletion"),
            link=dashboard.basic(app_id),
        ),
        Item(
            "app-review",
            _("App Review has granted Advanced Access"),
            _("Until then, only people with a role in the app reach you."),
            link=dashboard.review(app_id),
        ),
        Item(
            "live-mode",
            _("The app is Live"),
            _("In development mode, customers' messages do not arrive."),
            link=dashboard.mode(app_id),
        ),
    ]


ITEMS = (
    "business-app",
    "instagram-product",
    "permissions",
    "callback-url",
    "fields",
    "data-deletion",
    "app-review",
    "live-mode",
)


def items(summary: DeliverySummary) -> list[Item]:
    """Return the checklist as it stands: what is open first.

    :param summary: what Meta delivered. Own tests are none of it.
    """
    with db.read() as session:
        marks = {mark.item: mark for mark in session.scalars(sa.select(ChecklistMark))}
        app_id = _app_id(session)
        missing = _missing_fields(session)
        scopes = _scopes(session)
    looks: Mapping[str, Callable[[], Seen]] = {
        "permissions": lambda: _permissions(scopes),
        "callback-url": lambda: _delivered(summary),
        "fields": lambda: _fields(missing),
        "live-mode": lambda: _live(summary),
    }
    found = [_item(line, looks.get(line.name, Seen)(), marks.get(line.name)) for line in _lines(app_id)]
    return sorted(found, key=lambda item: item.verdict == "pass")


def _item(line: Item, seen: Seen, mark: ChecklistMark | None) -> Item:
    verdict, evidence, at = seen.verdict, seen.evidence, seen.at
    if mark is not None and not verdict:
        evidence = _("Ticked by %(name)s on %(date)s.", name=mark.done_by, date=format_date(mark.done_at))
        verdict = "pass"
        if line.name in CHANGES_UNSEEN and is_old(mark.done_at):
            verdict, at = "unknown", mark.done_at
            evidence += " " + _("That may have changed since, and nothing says so: look again.")
    return Item(
        name=line.name,
        title=line.title,
        text=line.text,
        codes=line.codes,
        copy=line.copy,
        link=line.link,
        verdict=verdict or "unknown",
        evidence=evidence,
        seen_at=at,
        ticked_by=mark.done_by if mark else "",
        can_tick=not seen.verdict,
    )


def _delivered(summary: DeliverySummary) -> Seen:
    """Say whether Meta delivered, which proves the callback URL for then."""
    at = summary.last_taken_at
    if at is None:
        return Seen()
    evidence = _(
        "Signed deliveries arrive, the last on %(when)s. Own tests are not counted.", when=format_datetime(at)
    )
    return Seen("unknown" if is_old(at) else "pass", evidence, at)


def _live(summary: DeliverySummary) -> Seen:
    """Say whether different people get through, which proves a live app for then."""
    at = summary.several_at
    if at is None:
        return Seen()
    if is_old(at):
        evidence = _(
            "Different people wrote, the last on %(when)s. An app that was put back into development mode "
            "since would look the same.",
            when=format_datetime(at),
        )
        return Seen("", evidence, at)
    evidence = _(
        "%(count)s people wrote in seven days, the last on %(when)s.",
        count=summary.people,
        when=format_datetime(at),
    )
    return Seen("pass", evidence, at)


def _fields(missing: list[str]) -> Seen:
    if not missing:
        return Seen()
    return Seen("fail", _("Missing at the Page of an account: %(missing)s.", missing=", ".join(missing)))


def _permissions(scopes: list[tuple[list[str], datetime | None]]) -> Seen:
    """Say whether the token of an account carries every permission: then they were requested and given."""
    for held, at in scopes:
        if all(name in held for name in config.page_scopes()):
            return Seen("pass", _("All %(count)s are on a token.", count=len(config.page_scopes())), at)
    return Seen()


def app_id() -> str:
    """Return the Meta app the links lead to; nothing while there is none."""
    with db.read() as session:
        return _app_id(session)


def _app_id(session: Session) -> str:
    """Return the Meta app the links lead to: the desk's, else that of an account."""
    app = config.app_of(config.Flavour.PAGE)
    if app is not None:
        return app.id
    host = db.host_table("channel_accounts")
    query = (
        sa.select(InstagramAccount.app_id)
        .join(host, host.c.id == InstagramAccount.account_id)
        .where(host.c.claim.is_not(None), InstagramAccount.flavour == config.Flavour.PAGE)
        .order_by(InstagramAccount.id)
        .limit(1)
    )
    return session.scalar(query) or ""


def _scopes(session: Session) -> list[tuple[list[str], datetime | None]]:
    host = db.host_table("channel_accounts")
    query = (
        sa.select(InstagramAccount.scopes, InstagramAccount.checked_at)
        .join(host, host.c.id == InstagramAccount.account_id)
        .where(host.c.claim.is_not(None), InstagramAccount.flavour == config.Flavour.PAGE)
    )
    return [(list(scopes), at) for scopes, at in session.execute(query)]


def _missing_fields(session: Session) -> list[str]:
    """Return the Page fields that some connected account is not subscribed to."""
    host = db.host_table("channel_accounts")
    rows = session.execute(
        sa.select(InstagramAccount.subscribed_fields, InstagramAccount.scopes)
        .join(host, host.c.id == InstagramAccount.account_id)
        .where(host.c.claim.is_not(None), InstagramAccount.flavour == config.Flavour.PAGE)
    )
    # Where the permission is missing Lobby cannot look; the account's card says so.
    held = [set(fields) for fields, scopes in rows if may_subscribe(config.Flavour.PAGE, scopes)]
    return [name for name in config.page_fields() if any(name not in fields for fields in held)]


def tick(session: Session, item: str, done: bool, by: str) -> None:
    """Tick a line, or take the tick back.

    :raises ValueError: for a line that does not exist.
    """
    if item not in ITEMS:
        raise ValueError(item)
    mark = session.get(ChecklistMark, item)
    if not done:
        if mark is not None:
            session.delete(mark)
        return
    now = clock.now()
    if mark is None:
        session.add(ChecklistMark(item=item, done_by=by[:255], done_at=now))
    else:
        mark.done_by, mark.done_at = by[:255], now
