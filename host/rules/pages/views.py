"""Settings -> Rules: rules and campaigns in order, and for each its form, preview and runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

import msgspec
import regex
from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation import condition_forms
from host.automation import words as reasons
from host.automation.condition_words import condition as condition_of
from host.automation.condition_words import head, saw, search_words
from host.automation.conditions import Condition, Words, leaves
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.inbox.apply import opt_out_words
from host.inbox.pages import durations
from host.live.following import follows
from host.models.users import Workspace
from host.rules import body as bodies
from host.rules import log, people, rules
from host.rules.body import Body, RuleError, RuleTargets
from host.rules.log import Preview, Ran
from host.rules.models import Rule, RuleState
from host.rules.pages import campaign_forms, campaign_views
from host.rules.pages import forms as fillings
from host.rules.pages import words as rule_words
from host.rules.pages.blueprint import ONE, RULES, bp
from host.rules.pages.campaign_forms import CampaignFilling
from host.rules.pages.forms import Filling, Places
from host.rules.pages.templates import Template, templates
from host.rules.people import Counts
from host.rules.rules import RuleView
from host.users.actor import UnitOfWork
from host.users.workspaces import SavedMeanwhileError
from host.web import account_picker, languages
from host.web.account_picker import Options
from host.web.languages import gettext as _
from host.web.portions import Portion, portion
from host.web.request_helpers import (
    Permission,
    current_user,
    flash_good,
    form_version,
    id_argument,
    seen_accounts,
    workspace_view,
    write,
)

OLD = "/w/<int:workspace_id>/settings/campaigns"
LATELY = timedelta(hours=24)
SIZE = 50
"""Rules per page of the list."""
LONGEST_EXAMPLE = 140
"""Most characters shown of a message a rule would have matched."""
OUTCOMES = ("asked", "matched", "refused")
KINDS = ("rules", "campaigns")
MARKED = frozenset({"name", "when", "hours", "conditions", "actions", *campaign_forms.FIELDS.values()})
"""Fields of the form at which an error is shown."""

AnyFilling = Filling | CampaignFilling


# ---- the list ------------------------------------------------------------------------------------------


class RuleRow(msgspec.Struct, frozen=True):
    """A rule in the list.

    :param number: its place in the order, from 1.
    :param runs: how often it was evaluated in the last 24 hours, by outcome; empty: it did not match.
    :param people: the people of a campaign; *ended*: whether it has ended.
    """

    rule: RuleView
    number: int
    words: str
    runs: dict[str, int]
    people: Counts
    ended: bool
    gone: str

    @property
    def asked(self) -> int:
        return sum(self.runs.values())

    @property
    def matched(self) -> int:
        return self.asked - self.runs.get("", 0)

    @property
    def refused(self) -> int:
        return self.runs.get("refused", 0)


def listed(session: Session, workspace_id: int, what: RuleTargets) -> list[RuleRow]:
    said, now, accounts = seen_names(what), clock.now(), seen_accounts()
    runs = log.counted(session, workspace_id, now - LATELY, accounts)
    found = rules.listing(session, workspace_id, what)
    counts = people.counted(session, [one.id for one in found if one.is_campaign], accounts)
    return [
        RuleRow(
            one,
            number,
            "" if one.body is None else rule_words.sentence(one.body, said),
            runs.get(one.id, {}),
            counts.get(one.id, Counts()),
            people.has_ended(one, counts.get(one.id, Counts()), now),
            _gone(one, said),
        )
        for number, one in enumerate(found, 1)
    ]


def _part(lines: Sequence[RuleRow], rule_id: int | None) -> Portion[RuleRow]:
    """Return the page of the list with a given rule, or the one in the address."""
    place = next((place for place, line in enumerate(lines) if line.rule.id == rule_id), None)
    return portion(lines, SIZE, containing=place)


def seen_names(what: RuleTargets) -> RuleTargets:
    """Return the targets of rules whose names the viewer may see."""
    accounts = seen_accounts()
    if accounts is None:
        return what
    mine = {one for one, account in what.post_accounts.items() if account in accounts}
    return replace(
        what,
        accounts={id_: name for id_, name in what.accounts.items() if id_ in accounts},
        posts={id_: title for id_, title in what.posts.items() if id_ in mine},
    )


@bp.get(RULES)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the rules in order, or one kind of them, with counts and problems of each."""
    show = request.args.get("show", "")
    show = show if show in KINDS else ""
    with db.read() as session:
        what = rules.there(session, workspace_id, current_directory())
        every = listed(session, workspace_id, what)
        lines = [one for one in every if not show or one.rule.is_campaign == (show == "campaigns")]
        offered = () if lines else templates(what, current_user().id)
        offered = [one for one in offered if not show or one.is_campaign == (show == "campaigns")]
        touched = _touched(session, workspace_id, offered, what)
    campaigns = sum(one.rule.is_campaign for one in every)
    return render_template(
        "rules/rules.html",
        part=_part(lines, id_argument("shown")),
        show=show,
        kinds=[
            ("", _("All"), len(every)),
            ("rules", _("Rules"), len(every) - campaigns),
            ("campaigns", _("Campaigns"), campaigns),
        ],
        states=rule_words.STATES,
        languages=len(opt_out_words.LANGUAGES),
        templates=offered,
        touched=touched,
        campaigns_work=what.abilities.private,
        most=rules.MOST,
    )


@bp.get(OLD)
@bp.get(f"{OLD}/new")
@bp.get(f"{OLD}/<int:rule_id>")
@bp.get(f"{OLD}/<int:rule_id>/people")
@workspace_view(Permission.ACCOUNTS)
def old_address(workspace_id: int, rule_id: int | None = None) -> ResponseReturnValue:
    """Redirect from an address that campaigns had when they had their own pages.

    :raises RuleNotFoundError: if the workspace has no such rule.
    """
    path = request.path.replace("/settings/campaigns", "/settings/rules")
    if rule_id is None:
        path += "?from=campaign" if path.endswith("/new") else "?show=campaigns"
    else:
        with db.read() as session:
            rules.get(session, workspace_id, rule_id)
    return redirect(path, 301)


def _touched(
    session: Session, workspace_id: int, offered: Sequence[Template], what: RuleTargets
) -> dict[str, int]:
    """Return how many conversations of the last days each template would match, by its key."""
    tried = {one.key: body for one in offered if (body := _tried(one.filling, what)[0]) is not None}
    bodies_ = {key: body for key, body in tried.items() if body.when != bodies.UNANSWERED}
    found = log.touched(
        session, workspace_id, list(bodies_.values()), current_directory(), clock.now(), seen_accounts()
    )
    return dict(zip(bodies_, found, strict=True))


@bp.post(f"{ONE}/move")
@workspace_view(Permission.ACCOUNTS)
def move(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Move a rule up or down."""
    step = -1 if request.form.get("to") == "up" else 1
    write(rules.move, rule_id, step)
    away = url_for("rules.index", workspace_id=workspace_id, shown=rule_id, _anchor=f"rule-{rule_id}")
    return redirect(away, 303)


@bp.post(f"{ONE}/state")
@workspace_view(Permission.ACCOUNTS)
def put_in_state(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Change the state of a saved rule. A rule that refers to a deleted object can still be turned off."""
    wanted = request.form.get("state", "")
    rule = write(_change_state, rule_id, wanted)
    flash_good(f"{rule.name}: {rule_words.STATES_SAY[RuleState(wanted)]}")
    return redirect(url_for("rules.rule", workspace_id=workspace_id, rule_id=rule_id), 303)


def _change_state(work: UnitOfWork, rule_id: int, wanted: str) -> Rule:
    """Set the state of a rule.

    :raises RuleError: as :func:`host.rules.rules.put_in_state`, and for an unknown state.
    """
    rules.get(work.session, work.workspace_id, rule_id)
    if wanted not in set(RuleState):
        raise RuleError(_l("Invalid rule state."))
    what = rules.there(work.session, work.workspace_id, current_directory())
    return rules.put_in_state(work, rule_id, RuleState(wanted), what)


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Delete a rule."""
    name = write(rules.delete, rule_id)
    flash_good(_("Rule %(name)s was deleted.", name=name))
    return redirect(url_for("rules.index", workspace_id=workspace_id), 303)


# ---- the form ------------------------------------------------------------------------------------------


@bp.get(f"{RULES}/new")
@workspace_view(Permission.ACCOUNTS)
def new(workspace_id: int) -> ResponseReturnValue:
    """Show the form for a new rule or campaign, from a template or empty."""
    wanted = request.args.get("from", "")
    opened = _opened(workspace_id)
    found = [one.filling for one in templates(opened.what, current_user().id) if one.key == wanted]
    return _form(workspace_id, opened, found[0] if found else Filling(), is_tried=bool(found))


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
@follows
def rule(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Show a rule: its form, a preview, its runs and its versions.

    A campaign has its own fields, unless it says more than they hold, or with ``form=rule``. With
    ``version``, the form contains that earlier version, to save it again.
    """
    opened = _opened(workspace_id, rule_id)
    shown, number = opened.rule, id_argument("version")
    body = shown.body
    if number is not None:
        with db.read() as session:
            versions = rules.versions(session, rule_id)
        stored = next((one.body for one in versions if one.number == number), None)
        body = body if stored is None else bodies.read(stored) or body
    if body is None:
        return _form(workspace_id, opened, Filling(name=shown.name))
    filling: AnyFilling | None = None
    if body.campaign is not None and request.args.get("form") != "rule":
        filling = campaign_forms.of_body(shown.name, body, shown.state, _zone(workspace_id))
    return _form(workspace_id, opened, filling or fillings.of_body(shown.name, body, shown.state))


def _zone(workspace_id: int) -> tzinfo:
    with db.read() as session:
        name = session.get_one(Workspace, workspace_id).timezone
    return clock.zone(name if name in clock.zones() else "UTC")


def _tried(filling: AnyFilling, what: RuleTargets) -> tuple[Body | None, Places]:
    """Return the part of a form to preview, and the rows of its conditions, or None."""
    if isinstance(filling, CampaignFilling):
        return None, Places()
    try:
        body, places = filling.body()
        conditions = bodies.checked_conditions(body, what)
    except RuleError:
        return None, Places()
    body = Body(when=body.when, hours=body.hours, minutes=body.minutes, conditions=conditions)
    return (body if log.may_be_tried(body) else None), places


class Opened(msgspec.Struct, frozen=True):
    """The data for the form of a rule.

    :param what: all objects that rules may refer to.
    :param shown: the rule; None: a new one.
    """

    what: RuleTargets
    shown: RuleView | None

    @property
    def rule(self) -> RuleView:
        assert self.shown is not None
        return self.shown


def _opened(workspace_id: int, rule_id: int | None = None) -> Opened:
    with db.read() as session:
        what = rules.there(session, workspace_id, current_directory())
        shown = None if rule_id is None else rules.shown(session, workspace_id, rule_id, what)
    return Opened(what, shown)


@bp.post(f"{RULES}/new")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int) -> ResponseReturnValue:
    """Add a rule after the others."""
    return _save(workspace_id, _opened(workspace_id))


@bp.post(ONE)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Change a rule; its earlier versions are kept."""
    return _save(workspace_id, _opened(workspace_id, rule_id))


def _save(workspace_id: int, opened: Opened) -> ResponseReturnValue:
    """Save the form, or show it again with a row moved by a button, a preview, or errors."""
    filling, move, places = _given(workspace_id, opened), request.form.get("move", ""), Places()
    if account_picker.is_looking() or "preview" in request.form:
        return _form(workspace_id, opened, filling, is_tried=True)
    try:
        if isinstance(filling, CampaignFilling):
            filling = campaign_views.with_picked(workspace_id, filling)
        if (move and move != "try") or "pick" in request.form:
            filling, focus = filling.moved(move)
            return _form(workspace_id, opened, filling, focus=focus, is_tried=True)
        body, places = filling.body()
        if move:
            bodies.checked_conditions(body, opened.what)
            return _form(workspace_id, opened, filling, is_tried=True)
        saved = write(_save_rule, opened.shown, filling, body)
    except LobbyError as error:
        place = places.row_of(error.field)
        return _form(workspace_id, opened, filling, problem=error, place=place, is_tried=True)
    if body.campaign is None:
        flash_good(_("Rule %(name)s was saved.", name=saved.name))
    else:
        flash_good(_("Campaign %(name)s was saved.", name=saved.name))
    form = "rule" if body.campaign is not None and isinstance(filling, Filling) else None
    return redirect(url_for("rules.rule", workspace_id=workspace_id, rule_id=saved.id, form=form), 303)


def _given(workspace_id: int, opened: Opened) -> AnyFilling:
    """Return the submitted form."""
    if request.form.get("kind") == "campaign":
        return campaign_forms.given(request.form, _zone(workspace_id))
    shown = opened.shown
    campaign = None if shown is None or shown.body is None else shown.body.campaign
    return replace(fillings.given(request.form), campaign=campaign)


def _save_rule(work: UnitOfWork, shown: RuleView | None, filling: AnyFilling, body: Body) -> Rule:
    """Add a rule, or change the one shown."""
    what = rules.there(work.session, work.workspace_id, current_directory())
    values: dict[str, Any] = {"name": filling.title, "body": body, "what": what}
    values["state"] = RuleState(filling.state)
    if shown is None:
        return rules.create(work, **values)
    return rules.change(work, shown.id, version=form_version() or 0, **values)


def _form(
    workspace_id: int,
    opened: Opened,
    filling: AnyFilling,
    *,
    problem: LobbyError | None = None,
    place: str = "",
    focus: str = "",
    is_tried: bool = False,
) -> ResponseReturnValue:
    """Show the form of a rule: its state, its name, the fields of its kind with a preview, and its runs.

    :param problem: why it was not saved; *place*: the row or field concerned.
    :param focus: the row to focus.
    :param is_tried: whether the form differs from the saved rule.
    """
    what, shown, said = opened.what, opened.shown, seen_names(opened.what)
    context: dict[str, Any] = {}
    with db.read() as session:
        lines = listed(session, workspace_id, what)
        if shown is not None:
            context |= _past(session, shown, said)
            context |= campaign_views.head(session, workspace_id, shown) if shown.is_campaign else {}
        if isinstance(filling, CampaignFilling):
            context |= campaign_views.fields(session, workspace_id, filling, what)
        else:
            # An empty form would match everything.
            has_preview = shown is not None or is_tried
            context |= _fields(session, workspace_id, filling, what, said, has_preview)
    page = render_template(
        "rules/rule.html",
        shown=shown,
        filling=filling,
        kind="campaign" if isinstance(filling, CampaignFilling) else "rule",
        problem=problem,
        place=place,
        marked=place.startswith("row:") or place in MARKED,
        next_step="" if problem is None else _next_step(problem),
        focus=focus,
        part=_part(lines, None if shown is None else shown.id),
        states=rule_words.STATES,
        states_say=rule_words.STATES_SAY,
        templates=() if shown or request.method == "POST" else templates(what, current_user().id),
        version=_version(shown, problem),
        is_tried=is_tried,
        gone=_gone(shown, said),
        languages=len(opt_out_words.LANGUAGES),
        **context,
    )
    return page, 200 if problem is None else problem.status


def _fields(
    session: Session,
    workspace_id: int,
    filling: Filling,
    what: RuleTargets,
    said: RuleTargets,
    has_preview: bool,
) -> dict[str, Any]:
    """Return the context for the fields of a rule, with a preview if its conditions can be evaluated.

    :param said: *what*, with the names that the viewer may see.
    """
    now, preview = clock.now(), None
    tried, places = _tried(filling, what)
    if tried is not None and has_preview:
        found = log.preview(session, workspace_id, tried, current_directory(), now, seen_accounts())
        preview = _preview(found, tried, places, said, now)
    return {
        "events": rule_words.events(what, filling.when),
        "units": rule_words.UNIT_NAMES,
        "search_words": json.dumps(search_words(what)),
        "conditions": _conditions(said, filling),
        "actions": _actions(said, filling),
        "most_conditions": fillings.MOST_ROWS,
        "most_actions": bodies.MOST_ACTIONS,
        "may_be_tried": log.may_be_tried(Body(when=filling.when)),
        "preview": preview,
    }


def _conditions(what: RuleTargets, filling: Filling, wanted: str | None = None) -> Options:
    chosen = {row.chosen for row in filling.conditions}
    handles = {f"account:{id_}": handle for id_, handle in what.handles.items()}
    choices = condition_forms.condition_choices(what, filling.conditions)
    return account_picker.options("if", choices, chosen, wanted, handles)


def _actions(what: RuleTargets, filling: Filling, wanted: str | None = None) -> Options:
    chosen = {row.chosen for row in filling.actions}
    return account_picker.options("then", fillings.action_choices(what, filling.actions), chosen, wanted)


@bp.get(f"{RULES}/choices")
@workspace_view(Permission.ACCOUNTS)
def choices(workspace_id: int) -> Response:
    """Return the choices for conditions and actions that match ``q``, for the form's script."""
    said, wanted = seen_names(_opened(workspace_id).what), account_picker.searched()
    found = _conditions(said, Filling(), wanted) + _actions(said, Filling(), wanted)
    return account_picker.found_options(found)


def _next_step(problem: LobbyError) -> str:
    """Return the next step for an error that is already shown at its place."""
    said = str(problem.next_step or "")
    return "" if said == str(RuleError.default_next_step) else said


def _version(shown: RuleView | None, problem: LobbyError | None) -> int:
    """Return the version the form is based on. After a conflict was shown, the form may overwrite it."""
    if shown is None:
        return 0
    posted = form_version()
    return shown.version if posted is None or isinstance(problem, SavedMeanwhileError) else posted


def _gone(shown: RuleView | None, what: RuleTargets) -> str:
    """Describe the part of a saved rule that refers to a deleted object; empty if there is none."""
    if shown is None or shown.body is None or not shown.gone:
        return ""
    part, *numbers = shown.gone.split(".")
    at = int(numbers[0]) if numbers else -1
    if part == "conditions" and 0 <= at < len(shown.body.conditions):
        return condition_of(shown.body.conditions[at], what)
    if part == "actions" and 0 <= at < len(shown.body.actions):
        return rule_words.action(shown.body.actions[at], what)
    return rule_words.event(shown.body)


# ---- what it would have done ---------------------------------------------------------------------------


def _preview(found: Preview, body: Body, places: Places, what: RuleTargets, now: datetime) -> dict[str, Any]:
    """Return the context of a preview.

    ``passed`` has, by row number, how many messages met the condition that ends there.
    """
    most = max(found.days, default=0) or 1
    there = languages.reader()
    today = there.local(now).date()
    days = [today - timedelta(days=back) for back in reversed(range(log.DAYS))]
    return {
        "looked": found.looked,
        "more": found.more,
        "matches": found.matches,
        "passed": {group[-1]: number for group, number in zip(places.conditions, found.passed, strict=True)},
        "days": [
            (
                there.date_text(day, "EEE"),
                there.date_text(day, "EEEE"),
                number,
                number * 40 / most,
            )
            for day, number in zip(days, found.days, strict=True)
        ],
        "hits": [
            (hit, _marked(_cut(hit.text), body.conditions), durations.moment(hit.at, now))
            for hit in found.hits
        ],
        "missed": [
            (condition_of(body.conditions[place], what), number)
            for place, number in sorted(found.missed.items(), key=lambda one: -one[1])
        ],
        "unanswered": body.when == bodies.UNANSWERED,
        "all_missed": sum(found.missed.values()),
    }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_EXAMPLE else text[:LONGEST_EXAMPLE] + "…"


def _marked(text: str, conditions: Sequence[Condition]) -> list[tuple[str, bool]]:
    """Split *text* into pieces, each with whether it is a word that a condition looks for."""
    words = [word for one in leaves(conditions) if isinstance(one, Words) for word in one.words]
    if not words:
        return [(text, False)]
    each = "|".join(r"\s+".join(map(regex.escape, word.split())) for word in words)
    pieces = regex.split(rf"(?<!\w)({each})(?!\w)", text, flags=regex.IGNORECASE | regex.V1)
    return [(piece, bool(at % 2)) for at, piece in enumerate(pieces) if piece]


# ---- what it did ---------------------------------------------------------------------------------------


class Cell(msgspec.Struct, frozen=True):
    """The value a condition saw. *holds* is None if it was not evaluated."""

    head: str
    holds: bool | None
    saw: str


class Did(msgspec.Struct, frozen=True):
    """An action of a run, and why it was not done; empty if it was, or would have been."""

    words: str
    why: str


class RunLine(msgspec.Struct, frozen=True):
    """A run as shown on the page.

    :param did: actions it did or would have done; empty if it did not match; *why*: the reason.
    """

    run: Ran
    when: str
    cells: Sequence[Cell]
    did: Sequence[Did]
    why: str


class Runs(msgspec.Struct, frozen=True):
    """Runs of one version of a rule, newest first, with the column headings of its conditions."""

    version: int
    heads: Sequence[str]
    lines: Sequence[RunLine]


def _past(session: Session, shown: RuleView, what: RuleTargets) -> dict[str, Any]:
    """Return the versions of a rule and a page of its runs."""
    which = request.args.get("runs", "")
    which = which if which in OUTCOMES else OUTCOMES[0]
    stored = rules.versions(session, shown.id)
    read = {one.number: bodies.read(one.body) for one in stored}
    found = log.runs(
        session,
        shown.id,
        matched=True if which == "matched" else None,
        refused=which == "refused",
        accounts=seen_accounts(),
        before=id_argument("before"),
        limit=log.PAGE + 1,
    )
    some = found[: log.PAGE]
    grouped = [
        _runs(number, read.get(number), list(its), what)
        for number, its in itertools.groupby(some, key=lambda one: one.version)
    ]
    earlier = [
        (one, "" if (body := read[one.number]) is None else rule_words.sentence(body, what))
        for one in stored
        if one.number != shown.version
    ]
    return {
        "which": which,
        "runs": grouped,
        "older": some[-1].id if len(found) > len(some) else None,
        "versions": earlier,
        "version_shown": id_argument("version"),
    }


def _runs(number: int, body: Body | None, its: Sequence[Ran], what: RuleTargets) -> Runs:
    conditions = () if body is None else body.conditions
    actions = () if body is None else body.actions
    wide = max((len(one.trace) for one in its), default=0)
    heads = [head(conditions[at]) if at < len(conditions) else _("Condition") for at in range(wide)]
    lines = []
    for run in its:
        cells = [
            Cell(
                heads[at],
                one.holds,
                saw(conditions[at] if at < len(conditions) else None, one, what),
            )
            for at, one in enumerate(run.trace)
        ]
        did = [
            Did(rule_words.action(actions[at], what) if at < len(actions) else kind, reasons.said(why))
            for at, (kind, why) in enumerate(run.done)
        ]
        lines.append(
            RunLine(
                run,
                durations.moment(run.at, clock.now()),
                cells,
                did,
                "" if did else reasons.said(run.reason),
            )
        )
    return Runs(number, heads, lines)
