"""The one-time checklist of the Meta app: what we can see ourselves, and what an admin ticks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.i18n import gettext as _

from . import config
from .models import ChecklistMark, InstagramAccount

OBJECT_FIELDS = (
    "messages",
    "messaging_postbacks",
    "messaging_seen",
    "message_reactions",
    "messaging_referral",
    "messaging_handover",
    "standby",
)
"""Fields to subscribe on the app's Instagram object. There is none for story mentions: they are messages."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line. ``verdict`` is ``pass``, ``fail`` or ``unknown``; a seen one needs no tick."""

    name: str
    title: str
    text: str
    codes: tuple[str, ...] = ()
    copy: str = ""
    verdict: str = "unknown"
    evidence: str = ""
    ticked_by: str = ""
    can_tick: bool = True


def _lines() -> list[Item]:
    return [
        Item(
            "business-app", _("An app of type Business"), _("In the Meta developer dashboard, under My apps.")
        ),
        Item(
            "instagram-product",
            _("The Instagram product is added"),
            _("In the app, under Add products; Webhooks as well."),
        ),
        Item(
            "permissions",
            _("The permissions are requested"),
            _("Each token that is pasted must carry them:"),
            codes=config.page_scopes(),
        ),
        Item(
            "callback-url",
            _("The callback URL is entered"),
            _("Under Webhooks, Instagram, with the Verify Token from the account's card."),
            copy=config.webhook_url(),
        ),
        Item(
            "fields",
            _("The fields are subscribed"),
            _("Under Webhooks, Instagram. Story mentions come under messages, without a field of their own."),
            codes=OBJECT_FIELDS,
        ),
        Item(
            "app-review",
            _("App Review has granted Advanced Access"),
            _("Until then, only people with a role in the app reach you."),
        ),
        Item(
            "live-mode",
            _("The app is Live"),
            _("In development mode, customers' messages do not arrive."),
        ),
    ]


ITEMS = (
    "business-app",
    "instagram-product",
    "permissions",
    "callback-url",
    "fields",
    "app-review",
    "live-mode",
)


def items(*, verified: bool) -> list[Item]:
    """Return the checklist as it stands.

    :param verified: whether a delivery with a right signature ever came, which proves the callback URL.
    """
    with db.read() as session:
        marks = {mark.item: mark for mark in session.scalars(sa.select(ChecklistMark))}
        missing = _missing_fields(session)
    seen: Mapping[str, Callable[[], tuple[str, str]]] = {
        "callback-url": lambda: ("pass", _("Signed deliveries arrive.")) if verified else ("", ""),
        "fields": lambda: (
            ("fail", _("Missing at the Page of an account: %(missing)s.", missing=", ".join(missing)))
            if missing
            else ("", "")
        ),
    }
    found = []
    for line in _lines():
        verdict, evidence = seen.get(line.name, lambda: ("", ""))()
        mark = marks.get(line.name)
        found.append(
            Item(
                name=line.name,
                title=line.title,
                text=line.text,
                codes=line.codes,
                copy=line.copy,
                verdict=verdict or ("pass" if mark else "unknown"),
                evidence=evidence,
                ticked_by=mark.done_by if mark else "",
                can_tick=not verdict,
            )
        )
    return found


def _missing_fields(session: Session) -> list[str]:
    """Return the Page fields that some connected account is not subscribed to."""
    host = db.host_table("channel_accounts")
    rows = session.scalars(
        sa.select(InstagramAccount.subscribed_fields)
        .join(host, host.c.id == InstagramAccount.account_id)
        .where(host.c.claim.is_not(None), InstagramAccount.flavour == config.Flavour.PAGE)
    )
    held = [set(fields) for fields in rows]
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
    if mark is None:
        session.add(ChecklistMark(item=item, done_by=by[:255], done_at=clock.now()))
