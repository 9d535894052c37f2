"""Notifications of the signed-in person: the bell, browser notifications, and settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from flask import Blueprint, g, jsonify, redirect, render_template, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import SQLAlchemyError

from host.core import clock, mail
from host.core.db import db
from host.core.errors import InvalidError
from host.live.events import newest_id
from host.notifications import notify, rules
from host.notifications.notify import News, NoticeView
from host.notifications.rules import DAYS, WAY_NAMES, Kind, Quiet, Way
from host.sdk.i18n import noop
from host.users import desk_settings
from host.users.pages.desk_settings_views import WHY
from host.web import navigation
from host.web.languages import gettext as _
from host.web.languages import reader
from host.web.request_helpers import (
    config,
    current_user,
    desk,
    flash_bad,
    flash_good,
    login_required,
    maybe_user,
    passive,
    shown_workspace,
    wants_json,
)

bp = Blueprint("notifications", __name__)

navigation.add_own(
    "notifications.index",
    _l("Notifications"),
    order=20,
    icon="bell",
    finds=(
        navigation.Find(
            _l("Notify me about"),
            "told-title",
            "sound, mail, browser, push, alerts, Ton, E-Mail, Mitteilungen",
            endpoint="notifications.settings",
        ),
        navigation.Find(
            _l("Quiet hours"),
            "quiet-title",
            "do not disturb, night, silence, nicht stören, Nacht, Ruhe",
            endpoint="notifications.settings",
        ),
    ),
    words="alerts, bell, sound, quiet hours, mail, Benachrichtigungen, Ton, Ruhezeiten, Mitteilungen",
)

MOST_FOLLOWED = 3
"""Maximum number of workspaces that the page follows: a browser has few connections."""
USUAL = Quiet(20 * 60, 8 * 60, frozenset(), frozenset(), "")
"""Initial values of the form without quiet hours: a night."""
IT_WORKS = noop("This is a test notification. The bell works.")
HOWS = {
    Way.DESK: _l("In the bell, on every page. Always delivered, even during quiet hours."),
    Way.BROWSER: _l("Over other windows, while a tab with Lobby is open."),
    Way.SOUND: _l(
        "Two tones for your conversations, one for unassigned ones, while a tab with Lobby is open."
    ),
    Way.PUSH: _l("On your phones and browsers below, also while Lobby is closed there."),
    Way.MAIL: _l(
        "After two minutes, unless you have read it by then. Several notifications are combined "
        "into one email."
    ),
}


@bp.get("/notifications")
@login_required
def index() -> ResponseReturnValue:
    """Show the notifications, latest updated first."""
    with db.read() as session:
        follows = newest_id(session)
        rows = notify.newest(session, current_user())
    about = {one.row.workspace_id for one in rows}
    return render_template(
        "notifications/index.html",
        rows=rows,
        said=_said,
        translated=notify.translated,
        follows=follows,
        places=[one for one in current_user().memberships if one.workspace_id in about][:MOST_FOLLOWED],
    )


def _said(told: NoticeView) -> str:
    return notify.translated(notify.said(told.row), told.row.details)


@bp.post("/notifications/read")
@login_required
def read() -> ResponseReturnValue:
    """Mark everything as read."""
    db.write(notify.read_all, current_user().id)
    return redirect(url_for("notifications.index"), 303)


@bp.post("/notifications/<int:notification_id>/read")
@login_required
def read_one(notification_id: int) -> ResponseReturnValue:
    """Mark one of the person's notifications as read."""
    db.write(notify.read_one, current_user().id, notification_id)
    return ("", 204) if wants_json() else redirect(url_for("notifications.index"), 303)


@bp.get("/notifications/news")
@passive
@login_required
def news_now() -> ResponseReturnValue:
    """Return the unread counts as JSON; ``show`` holds the notices to show or play a sound for."""
    user = current_user()
    with db.read() as session:
        waits, found = notify.news(session, user), notify.to_show(session, user)
    return jsonify(**asdict(waits), show=[_shown(one) for one in found])


def _shown(told: NoticeView) -> dict[str, object]:
    ways = rules.ways_of(told.row.ways)
    return {
        "id": told.row.id,
        "title": told.customer or told.workspace_name or desk().name,
        "text": _said(told),
        "url": told.row.path,
        "show": Way.BROWSER in ways,
        "pushed": Way.PUSH in ways,
        "sound": Way.SOUND in ways,
        "own": told.row.kind not in {Kind.NEW, Kind.NEW_LATE},
    }


def news() -> News:
    """Return the unread counts of the signed-in person, for the bell and the title of every page."""
    if "lobby_news" not in g:
        user = maybe_user()
        g.lobby_news = News()
        if user is not None:
            try:
                with db.read() as session:
                    g.lobby_news = notify.news(session, user)
            except SQLAlchemyError:
                pass  # the page may be the error page for an unavailable database
    found: News = g.lobby_news
    return found


# ---- settings ------------------------------------------------------------------------------------------


@bp.get("/notifications/settings")
@login_required
def settings() -> ResponseReturnValue:
    """Show the person's notification settings and quiet hours."""
    return _page()


def _page(quiet: Quiet | None = None, problem: InvalidError | None = None) -> ResponseReturnValue:
    user = current_user()
    with db.read() as session:
        chosen = rules.chosen(session, [user.id])[user.id]
        kept = rules.quiet_hours(session, [user.id]).get(user.id)
        server = mail.server_of(desk_settings.overlaid(config(), desk_settings.stored(session)))
    now, kinds = clock.now(), rules.offered()
    locale = get_locale()
    days = (
        range(DAYS) if locale is None else [locale.days["format"]["abbreviated"][day] for day in range(DAYS)]
    )
    page = render_template(
        "notifications/settings.html",
        kinds=kinds,
        ways=WAY_NAMES,
        hows=HOWS,
        chosen=chosen,
        is_usual=all(chosen[kind] == about.usual for kind, about in kinds.items()),
        quiet=quiet or kept or USUAL,
        quiet_until=None if kept is None else kept.until(now),
        zone=(quiet or kept or USUAL).timezone or str(reader().zone),
        zones=clock.zones(),
        days=days,
        clock_text=_clock_text,
        mails=server is not None,
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@bp.post("/notifications/settings")
@login_required
def save() -> ResponseReturnValue:
    """Save the ways in which the person gets each kind; ``usual`` restores the defaults."""
    ticked = set(request.form.getlist("told"))
    wanted = {
        kind: about.usual
        if request.form.get("usual")
        else frozenset(way for way in Way if f"{kind}.{way}" in ticked)
        for kind, about in rules.offered().items()
    }
    db.write(rules.choose, current_user().id, wanted)
    flash_good(_("Saved."))
    return redirect(url_for("notifications.settings"), 303)


@bp.post("/notifications/quiet")
@login_required
def save_quiet() -> ResponseReturnValue:
    """Save the person's quiet hours, or remove them if no day is chosen."""
    form = request.form
    quiet = Quiet(
        _minutes(form.get("from", "")),
        _minutes(form.get("to", "")),
        _days(form.getlist("day")),
        _days(form.getlist("whole_day")),
        form.get("timezone", ""),
    )
    try:
        db.write(rules.set_quiet_hours, current_user().id, quiet)
    except InvalidError as problem:
        return _page(quiet, problem)
    flash_good(_("Saved.") if quiet.days or quiet.whole_days else _("Saved. You have no quiet hours."))
    return redirect(f"{url_for('notifications.settings')}#quiet-title", 303)


def _minutes(text: str) -> int:
    """Return a time of day as minutes after midnight, or -1 if it is invalid, which is refused later."""
    try:
        there = datetime.strptime(text, "%H:%M")  # noqa: DTZ007 - a time of day has no zone
    except ValueError:
        return -1
    return there.hour * 60 + there.minute


def _days(given: list[str]) -> frozenset[int]:
    known = {str(day): day for day in range(DAYS)}
    return frozenset(known[one] for one in given if one in known)


@bp.post("/notifications/test")
@login_required
def test() -> ResponseReturnValue:
    """Send the person a test notification through one ``way``, and show the result.

    The page tests browser notifications and sounds without the server.
    """
    tried = _TESTS.get(request.form.get("way", ""))
    if tried is None:
        raise InvalidError()
    worked, sentence = tried()
    if wants_json():
        return jsonify(worked=worked, sentence=sentence)
    (flash_good if worked else flash_bad)(sentence, at="test")
    return redirect(f"{url_for('notifications.settings')}#test-title", 303)


def _test_desk() -> tuple[bool, str]:
    place = shown_workspace()
    db.write(notify.tell_test, current_user().id, None if place is None else place.id, IT_WORKS)
    return True, str(_("Sent. Check the bell at the top of this page."))


def _test_mail() -> tuple[bool, str]:
    with db.read() as session:
        server = mail.server_of(desk_settings.overlaid(config(), desk_settings.stored(session)))
    if server is None:
        return False, str(_("Lobby has no mail server, so no email is sent. An admin can set one up."))
    to, name = current_user().email, desk().name
    text = _("This is a test of email notifications from %(desk)s. They work.", desk=name)
    try:
        mail.send(server, mail.compose(server, to, _("Test from %(desk)s", desk=name), f"{text}\n"))
    except mail.NotSentError as error:
        sentence = _("The test email was not sent.")
        return False, f"{sentence} {WHY[error.why]}"
    except mail.UnconfirmedError:
        return False, str(
            _("The connection was lost, so the test email may or may not have been sent. Check your inbox.")
        )
    return True, str(_("The server accepted the test email. Check the inbox of %(email)s.", email=to))


_TESTS: dict[str, Callable[[], tuple[bool, str]]] = {Way.DESK: _test_desk, Way.MAIL: _test_mail}


@bp.record_once
def _offer(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals["own_news"] = news
