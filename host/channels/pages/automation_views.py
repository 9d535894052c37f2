"""Settings -> Channels -> an account -> Greeting & routing: its automation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from host.automation import answered_kinds, facts, preview, texts
from host.automation import settings as account_settings
from host.automation.deciding import GREETED, Person, Sent, Settings, longest_waiting
from host.automation.preview import KNOWN, NEW, SILENT, Question
from host.channels import abilities
from host.channels.abilities import Abilities
from host.channels.pages.blueprint import bp
from host.channels.pages.message_views import BELOW, settable
from host.core import clock, db
from host.core.backports.values import replace
from host.core.errors import InvalidError
from host.core.ids import read_id
from host.inbox.teams import teams
from host.models.channels import ChannelAccount
from host.models.users import Workspace
from host.web import languages, local_times
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, flash_good, form_version, workspace_view, write
from host.working_hours import hours
from host.working_hours.hours import Hours

LONGEST = 20_000
"""Maximum characters read from a text field."""
DAYS = (7, 14, 30, 60, 90, 180, 365)
LATELY = timedelta(days=7)
PARTS = ("greets", "tells_away", "routes")
"""Settings that are turned on separately."""
MOST_NAMED = 12
"""Maximum number of people offered in the preview as the last one who wrote."""


@bp.route(f"{BELOW}/automation", methods=["GET", "POST"])
@workspace_view(Permission.ACCOUNTS)
def automation(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Show and change an account's automation, with a preview of what happens when a customer writes.

    With ``add``, that part is already turned on in the form; it is saved with the rest.
    """
    row, adapter, choices = settable(workspace_id, account_id)
    limit, able = adapter.capabilities.text_limit, abilities.of([adapter])
    with db.read() as session:
        kept = account_settings.of_account(session, workspace_id, account_id)
    added = request.args.get("add", "")
    chosen, problem = replace(kept, **{added: True}) if added in PARTS else kept, None
    if request.method == "POST":
        chosen = _entered(kept, able)
        try:
            if "preview" not in request.form:
                write(account_settings.save, chosen, limit=limit, version=form_version() or 0)
                flash_good(_("Saved."))
                return redirect(request.path, 303)
            with db.read() as session:
                account_settings.checked(session, chosen, limit)
        except InvalidError as error:
            problem = error
    page = render_template(
        "channels/automation.html",
        account=row,
        label=adapter.label,
        choices=choices,
        chosen=chosen,
        kept=kept,
        limit=limit,
        problem=problem,
        days=sorted({*DAYS, chosen.silence_days}),
        variables=texts.offered(),
        ticks=answered_kinds.offered(able, kept.greets_on),
        clauses=answered_kinds.clauses(able, kept.greets_on),
        **_seen(row, chosen),
    )
    refused = problem is not None and "preview" not in request.form
    return page, problem.status if refused and problem is not None else 200


def _entered(kept: Settings, able: Abilities) -> Settings:
    """Return the submitted settings; invalid days become None, which validation rejects."""
    form = request.form
    days = form.get("silence_days", "30").strip()
    sent = {Sent(one) for one in form.getlist("greets_on") if one in {*GREETED, Sent.MENTION}}
    return replace(
        kept,
        greets=bool(form.get("greets")),
        greeting=form.get("greeting", "")[:LONGEST],
        silence_days=int(days) if days.isascii() and days.isdigit() and len(days) < 4 else 0,
        greets_on=answered_kinds.chosen(sent, able, kept.greets_on),
        tells_away=bool(form.get("tells_away")),
        away=form.get("away", "")[:LONGEST],
        routes=bool(form.get("routes")),
        team_id=read_id(form.get("team", "")),
        to_person=form.get("to") != "team",
        to_last=form.get("known") != "team",
    )


def _seen(row: ChannelAccount, its: Settings) -> dict[str, Any]:
    """Return what the page shows next to the form: hours, people, the preview, recent runs."""
    now = clock.now()
    with db.read() as session:
        workspace = session.get_one(Workspace, row.workspace_id)
        listed = [(one.id, one.name) for one in teams.all_of(session, row.workspace_id)]
        team = dict(listed).get(its.team_id or 0, "")
        its = its if team else replace(its, team_id=None)
        theirs = hours.of_team(session, row.workspace_id, its.team_id)
        people = facts.people(session, row.workspace_id, row.id, its.team_id)
        question = _question(now, people)
        lately = facts.counted(session, row.id, now - LATELY)
        zone, language, name = workspace.timezone, workspace.language, workspace.name
    about = preview.talk(its, question, theirs)
    values = {
        "contact.name": _("Rosa Sample"),
        "contact.first_name": _("Rosa"),
        "contact.handle": "@rosa.sample",
        "account.name": row.name or row.handle,
        "workspace.name": name,
        texts.OPENS_AT: texts.said_time(about.opens_at, question.at, zone, language),
    }
    opens = texts.said_time(about.opens_at, question.at, zone, str(languages.reader().locale or "en"))
    ready = [one for one in people if one.on_duty_since is not None]
    return {
        "teams": listed,
        "team_name": team,
        "people": people,
        "next_one": longest_waiting(ready),
        "is_open": theirs.is_open(now),
        "opens_now": _opens(theirs, now, zone),
        "question": question,
        "asked_at": question.at,
        "steps": preview.steps(its, question, theirs, people, team, values, opens),
        "lately": lately,
        "known": [(f"{KNOWN}-{one.user_id}", one.name) for one in people[:MOST_NAMED]],
    }


def _opens(theirs: Hours, now: datetime, zone: str | None) -> str:
    if theirs.is_open(now):
        return ""
    return texts.said_time(theirs.opens_at(now), now, zone, str(languages.reader().locale or "en"))


def _question(now: datetime, people: Sequence[Person]) -> Question:
    """Return the preview's question; invalid input becomes a new customer with a message, now."""
    form = request.form
    who, _dash, last = form.get("who", NEW).partition("-")
    sent = form.get("sent", "")
    last_id = read_id(last)
    known = {one.user_id for one in people}
    return Question(
        who=who if who in {NEW, SILENT, KNOWN} else NEW,
        sent=Sent(sent) if sent in {*GREETED, Sent.MENTION} else Sent.MESSAGE,
        at=_moment(form) or now,
        last_id=last_id if who == KNOWN and last_id in known else None,
    )


def _moment(form: Mapping[str, str]) -> datetime | None:
    """Return a typed local time in the page's time zone, or None if it is invalid."""
    try:
        at = local_times.typed(form, "at")
    except ValueError:
        return None
    return at if 2000 <= at.year <= 2100 else None
