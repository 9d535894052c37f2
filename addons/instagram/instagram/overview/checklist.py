"""The one-time checklist of the Meta app: items Lobby can verify, and items an admin ticks."""

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

from .. import config, dashboard
from ..accounts import may_subscribe
from ..diagnose.examination import is_old
from ..models import ChecklistMark, InstagramAccount

CHANGES_UNSEEN = {"live-mode"}
"""Items whose state may change unnoticed, so a tick expires like other evidence."""


@dataclass(frozen=True, slots=True)
class Item:
    """One checklist item.

    :param verdict: ``pass``, ``fail`` or ``unknown``; a verified item needs no tick.
    :param seen_at: when the evidence was seen.
    :param link: the page at Meta to do it on.
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
class ItemStatus:
    """Status of one checklist item, as determined by this desk."""

    verdict: str = ""
    evidence: str = ""
    at: datetime | None = None


def title_of(name: str) -> str:
    """Return what the page calls an item."""
    return next((one.title for one in _lines("") if one.name == name), name)


def _lines(app_id: str) -> list[Item]:
    return [
        Item(
            "business-app",
            _("Create an app of type Business"),
            _("In the Meta developer dashboard, under My apps."),
            link=dashboard.home(app_id),
        ),
        Item(
            "instagram-product",
            _("Add the Instagram product"),
            _("In the app, under Add products. Add Webhooks as well."),
            link=dashboard.products(app_id),
        ),
        Item(
            "permissions",
            _("Request the permissions"),
            _(
                "The first two are required. If another is missing, the account shows a warning. For "
                "comments, also %(comments)s:",
                comments=", ".join(config.comment_scopes(config.Flavour.PAGE)),
            ),
            codes=config.page_scopes(),
            link=dashboard.review(app_id),
        ),
        Item(
            "callback-url",
            _("Enter the callback URL"),
            _(
                "Lobby enters it if it has the app's ID and secret. Otherwise, enter it under Webhooks, "
                "Instagram."
            ),
            copy=config.webhook_url(),
            link=dashboard.webhooks(app_id),
        ),
        Item(
            "fields",
            _("Subscribe to the fields"),
            _(
                "Under Webhooks, Instagram. Story mentions arrive under messages and have no field of "
                "their own. If listed, also select message_edit, messaging_optins and response_feedback. "
                "For comments: %(comments)s.",
                comments=", ".join(config.object_comment_fields()),
            ),
            codes=config.object_fields(),
            link=dashboard.webhooks(app_id),
        ),
        Item(
            "data-deletion",
            _("Enter the data deletion URL"),
            _("Meta can disable an app without one. Lobby can't enter it for you."),
            copy=config.callback_url("deletion"),
            link=dashboard.basic(app_id),
        ),
        Item(
            "app-review",
            _("Get Advanced Access through App Review"),
            _("Until then, only people with a role in the app can reach you."),
            link=dashboard.review(app_id),
        ),
        Item(
            "live-mode",
            _("Set the app to Live"),
            _("In development mode, customers' messages don't arrive."),
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
    """Return the checklist in its current state, open items first.

    :param summary: Meta's deliveries, without Lobby's own tests.
    """
    with db.read() as session:
        marks = {mark.item: mark for mark in session.scalars(sa.select(ChecklistMark))}
        app_id = _app_id(session)
        missing = _missing_fields(session)
        scopes = _scopes(session)
    looks: Mapping[str, Callable[[], ItemStatus]] = {
        "permissions": lambda: _permissions(scopes),
        "callback-url": lambda: _delivered(summary),
        "fields": lambda: _fields(missing),
        "live-mode": lambda: _live(summary),
    }
    found = [_item(line, looks.get(line.name, ItemStatus)(), marks.get(line.name)) for line in _lines(app_id)]
    return sorted(found, key=lambda item: item.verdict == "pass")


def _item(line: Item, seen: ItemStatus, mark: ChecklistMark | None) -> Item:
    verdict, evidence, at = seen.verdict, seen.evidence, seen.at
    if mark is not None and not verdict:
        evidence = _(
            "Marked as done by %(name)s on %(date)s.", name=mark.done_by, date=format_date(mark.done_at)
        )
        verdict = "pass"
        if line.name in CHANGES_UNSEEN and is_old(mark.done_at):
            verdict, at = "unknown", mark.done_at
            evidence += " " + _("Lobby can't check this and it may have changed since. Check it again.")
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


def _delivered(summary: DeliverySummary) -> ItemStatus:
    """Return whether Meta has delivered, which proves that the callback URL worked then."""
    at = summary.last_taken_at
    if at is None:
        return ItemStatus()
    evidence = _(
        "Signed deliveries are arriving, last on %(when)s. Your own tests aren't counted.",
        when=format_datetime(at),
    )
    return ItemStatus("unknown" if is_old(at) else "pass", evidence, at)


def _live(summary: DeliverySummary) -> ItemStatus:
    """Return whether messages from several people arrive, which proves that the app was live then."""
    at = summary.several_at
    if at is None:
        return ItemStatus()
    if is_old(at):
        evidence = _(
            "Different people wrote, last on %(when)s. If the app was returned to development mode "
            "since, this would look the same.",
            when=format_datetime(at),
        )
        return ItemStatus("", evidence, at)
    evidence = _(
        "%(count)s people have written in the last seven days, most recently on %(when)s.",
        count=summary.people,
        when=format_datetime(at),
    )
    return ItemStatus("pass", evidence, at)


def _fields(missing: list[str]) -> ItemStatus:
    if not missing:
        return ItemStatus()
    return ItemStatus(
        "fail", _("An account's Page is missing these fields: %(missing)s.", missing=", ".join(missing))
    )


def _permissions(scopes: list[tuple[list[str], datetime | None]]) -> ItemStatus:
    """Return whether an account's token has every permission, which proves they were requested and
    granted.
    """
    for held, at in scopes:
        if all(name in held for name in config.page_scopes()):
            return ItemStatus("pass", _("A token has all %(count)s.", count=len(config.page_scopes())), at)
    return ItemStatus()


def app_id() -> str:
    """Return the Meta app that the links lead to, or an empty string."""
    with db.read() as session:
        return _app_id(session)


def _app_id(session: Session) -> str:
    """Return the Meta app the links lead to: the installation's, else that of an account."""
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
    # Lobby cannot check an account without the permission; its card says so.
    held = [set(fields) for fields, scopes in rows if may_subscribe(config.Flavour.PAGE, scopes)]
    return [name for name in config.page_fields() if any(name not in fields for fields in held)]


def tick(session: Session, item: str, done: bool, by: str) -> None:
    """Tick or untick an item.

    :raises ValueError: if the item does not exist.
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
