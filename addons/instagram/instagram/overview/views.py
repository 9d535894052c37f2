"""The admin's overview page, and the address it posts to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.sdk import db, deliveries
from host.sdk.accounts import AccountOverview, AccountState, overview
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext
from host.sdk.pages import AdminPage
from host.sdk.web import (
    admin_required,
    audit,
    channels_url,
    current_user,
    flash_good,
    portion,
    sign_in_url,
)

from .. import config, dashboard
from ..config import CHANNEL, COMMENTS_CHANNEL, SLUG
from ..connect import comments_switch
from . import checklist

_WAYS = {
    "pasted": lazy_gettext("Pasted credentials"),
    "facebook": lazy_gettext("Facebook sign-in"),
    "instagram": lazy_gettext("Instagram sign-in"),
}

bp = Blueprint(SLUG, __name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A connected account in the table."""

    workspace: str
    handle: str
    name: str
    way: str
    state: str
    tone: str
    reason: str
    last_event_at: datetime | None
    warnings: tuple[str, ...] = ()


def context() -> Mapping[str, Any]:
    """Return the template context of the overview."""
    connected = [*overview(CHANNEL), *overview(COMMENTS_CHANNEL)]
    events = [each.last_event_at for each in connected if each.last_event_at is not None]
    wanted = request.args.get("q", "").strip()
    part = portion([each for each in connected if _fits(each, wanted)])
    seen = deliveries.summary(SLUG, CHANNEL)
    lines = checklist.items(seen)
    return {
        "channels_url": channels_url(),
        "webhook_url": config.webhook_url(),
        "verify_token": config.verify_token(),
        "sign_ins": [
            (
                lazy_gettext("Connect with Facebook"),
                config.app_of(config.Flavour.PAGE),
                sign_in_url(CHANNEL, "facebook"),
                "LOBBY_ADDON_INSTAGRAM_FACEBOOK_APP_ID",
            ),
            (
                lazy_gettext("Connect Instagram"),
                config.app_of(config.Flavour.LOGIN),
                sign_in_url(CHANNEL, "instagram"),
                "LOBBY_ADDON_INSTAGRAM_INSTAGRAM_APP_ID",
            ),
        ],
        "deauthorize_url": config.callback_url("deauthorize"),
        "deletion_url": config.callback_url("deletion"),
        "login_settings": dashboard.facebook_login(checklist.app_id()),
        "public": config.webhook_url().startswith("https://"),
        "connected": len(connected),
        "wanted": wanted,
        "part": part,
        "rows": [_row(each) for each in part.rows],
        "workspaces": len({each.account.workspace_id for each in connected}),
        "last_event_at": max(events, default=None),
        "seen": seen,
        "lines": lines,
        "done": sum(line.verdict == "pass" for line in lines),
    }


def _fits(each: AccountOverview, wanted: str) -> bool:
    """Return whether an account matches the search: its name, handle or workspace contains *wanted*."""
    words = f"{each.account.name} {each.account.handle} {each.workspace_name}"
    return wanted.casefold() in words.casefold()


def _row(each: AccountOverview) -> Row:
    if each.state is AccountState.NEEDS_RECONNECT:
        state, tone = _("Sign in again"), "bad"
    elif any(one.tone == "bad" for one in each.warnings):
        state, tone = _("Needs attention"), "bad"
    elif each.warnings:
        state, tone = _("Needs attention"), "warn"
    elif each.last_event_at is None:
        state, tone = _("Waiting"), "idle"
    else:
        state, tone = _("Receiving"), "good"
    return Row(
        workspace=each.workspace_name,
        handle=each.account.handle,
        name=each.account.name,
        way=_("Comments") if comments_switch.is_one(each.account) else str(_WAYS.get(each.way, each.way)),
        state=state,
        tone=tone,
        reason=_(each.state_reason) if each.state_reason else "",
        last_event_at=each.last_event_at,
        warnings=tuple(_(one.sentence, **one.details) for one in each.warnings),
    )


@bp.post("/checklist")
@admin_required
def mark() -> ResponseReturnValue:
    """Tick or untick an item of the Meta app checklist."""
    item, done = request.form.get("item", ""), request.form.get("done") == "1"
    if item not in checklist.ITEMS:
        abort(404)

    def use_case(session: Session) -> None:
        checklist.tick(session, item, done, current_user().name)
        audit(session, "instagram.checklist", str(checklist.title_of(item)), details={"done": done})

    db.write(use_case)
    flash_good(_("Marked as done.") if done else _("Marked as not done."))
    return redirect(url_for("addons.settings", slug=SLUG, _anchor=f"check-{item}"), 303)


PAGE = AdminPage(title="Instagram Direct", template=f"{SLUG}/overview.html", context=context)
