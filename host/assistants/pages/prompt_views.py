"""Pages for an assistant's prompt with its versions, and for its limits and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from urllib.parse import urlsplit

import msgspec
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from host.assistants import assistants, figures
from host.assistants.assistants import AssistantError
from host.assistants.figures import Dearest, Spent, TurnCounts, WorkspaceUsage
from host.assistants.models import Assistant, LanguageModel
from host.assistants.pages import forms
from host.assistants.pages.blueprint import (
    MILLION,
    NEEDS,
    ONE,
    bp,
    currency_of,
    money,
    url_of,
)
from host.assistants.pages.playground import Play, register
from host.assistants.pages.views import setup_page
from host.assistants.values import Body, Cap
from host.core import clock, db
from host.core.errors import LobbyError
from host.core.ids import read_id
from host.users.workspaces import SavedMeanwhileError
from host.web import languages, plots
from host.web.formats import whole
from host.web.languages import gettext as _
from host.web.plots import Bars, Plot
from host.web.request_helpers import (
    flash_good,
    form_version,
    id_argument,
    seen_accounts,
    workspace_view,
    write,
)


class Version(msgspec.Struct, frozen=True):
    """A version in the list.

    :param readable: whether this release can read it.
    """

    number: int
    author: str
    at: datetime
    readable: bool


class Meter(msgspec.Struct, frozen=True):
    """Usage of a limit.

    :param used: in words, as is *of*, which is empty if there is no limit.
    :param share: in percent; *tone* is ``warn`` near the limit.
    """

    label: str
    used: str
    of: str
    share: float
    tone: str
    url: str = ""


# ---- prompt --------------------------------------------------------------------------------------------


@bp.get(f"{ONE}/prompt")
@workspace_view(NEEDS)
def prompt(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Show the prompt and its versions. With ``version``, fill the form with that version."""
    return prompt_page(workspace_id, assistant_id)


def prompt_page(
    workspace_id: int,
    assistant_id: int,
    play: Play | None = None,
    body: Body | None = None,
    problem: LobbyError | None = None,
) -> ResponseReturnValue:
    """Return the page of the prompt.

    :param play: the conversation in the playground; the form keeps the values typed then.
    :param body: values as typed.
    :param problem: why they were not saved.
    """
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        stored = assistants.versions(session, assistant_id)
        held = assistants.body_of(session, row)
        shown = id_argument("version") if request.method == "GET" else None
        old = None if shown in {None, row.version} else assistants.body_of(session, row, shown)
    if play is not None:
        body = forms.prompt(held)
    page = render_template(
        "assistants/assistant_prompt.html",
        assistant=row,
        tab="prompt",
        body=body or old or held or Body(),
        unreadable=held is None,
        unsaved=play is not None and body != held,
        old=shown if old is not None else None,
        version=_version(row, problem),
        versions=[
            Version(one.number, one.author, one.at, assistants.read(one.body) is not None) for one in stored
        ],
        longest=assistants.LONGEST_PROMPT,
        longest_announcement=assistants.LONGEST_ANNOUNCEMENT,
        pauses=assistants.PAUSES,
        play=play or Play(),
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


register("prompt", prompt_page)


def _version(row: Assistant, problem: LobbyError | None) -> int:
    """Return the version the form is based on. After a warning about a newer one, saving overwrites it."""
    posted = form_version()
    return row.version if posted is None or isinstance(problem, SavedMeanwhileError) else posted


@bp.post(f"{ONE}/prompt")
@workspace_view(NEEDS)
def save_prompt(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Save a new version of the prompt; earlier versions are kept."""
    url = url_for("assistants.prompt", workspace_id=workspace_id, assistant_id=assistant_id)
    return _saved(workspace_id, assistant_id, forms.prompt, prompt_page, url)


def _saved(
    workspace_id: int,
    assistant_id: int,
    filled: Callable[[Body | None], Body],
    page: Callable[..., ResponseReturnValue],
    url: str,
) -> ResponseReturnValue:
    """Save a form as a new version, and redirect to *url*; if it is refused, return its page as typed.

    :param filled: puts the values of the form into the current version; None: it cannot be read here.
    """
    with db.read() as session:
        body = filled(assistants.body_of(session, assistants.get(session, workspace_id, assistant_id)))
    try:
        write(assistants.save_version, assistant_id, body=body, version=form_version() or 0)
    except (AssistantError, SavedMeanwhileError) as error:
        return page(workspace_id, assistant_id, body=body, problem=error)
    flash_good(_("Saved."))
    return redirect(url, 303)


# ---- limits and cost -----------------------------------------------------------------------------------


@bp.get(f"{ONE}/limits")
@workspace_view(NEEDS)
def limits(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Show an assistant's limits, usage and results."""
    return limits_page(workspace_id, assistant_id)


def limits_page(
    workspace_id: int,
    assistant_id: int,
    play: Play | None = None,
    body: Body | None = None,
    problem: LobbyError | None = None,
) -> ResponseReturnValue:
    """Return the page of limits; the arguments are those of :func:`prompt_page`."""
    now, accounts = clock.now(), seen_accounts()
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        held = assistants.body_of(session, row)
        zone = figures.zone_of(session, workspace_id)
        days = figures.by_day(session, assistant_id, now, zone, accounts=accounts)
        used = figures.use(session, workspace_id, now, zone)
        since = figures.days(now, zone)[0][1]
        dearest = figures.dearest(session, assistant_id, since, accounts=accounts)
        model = None if row.model_id is None else session.get(LanguageModel, row.model_id)
    currency = currency_of(model)
    shown = body or held or Body()
    page = render_template(
        "assistants/assistant_limits.html",
        assistant=row,
        tab="limits",
        body=shown,
        caps=[(which, words, getattr(shown.limits, which)) for which, words in _caps()],
        version=_version(row, problem),
        currency=currency,
        million=MILLION,
        meters=_meters(held or Body(), used, dearest, currency, workspace_id, now.astimezone(zone).date()),
        plot=_plot(days, figures.days(now, zone)),
        cost=money(figures.total(days).cost, currency),
        model=model,
        host="" if model is None else urlsplit(model.address).hostname or model.address,
        seconds=assistants.SECONDS,
        calls=assistants.CALLS,
        day_name=lambda at: _day_name(at.astimezone(zone)),
        play=play or Play(),
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


register("limits", limits_page)


def _caps() -> list[tuple[str, str]]:
    return [
        ("conversation", _("Per conversation")),
        ("day", _("Per day")),
        ("month", _("Per month")),
    ]


def _meters(
    body: Body, used: WorkspaceUsage, dearest: Dearest | None, currency: str, workspace_id: int, today: date
) -> list[Meter]:
    most = body.limits
    month = languages.reader().date_text(today, "LLLL")
    url = ""
    if dearest is not None:
        url = url_for(
            "inbox.conversation", workspace_id=workspace_id, conversation_id=dearest.conversation_id
        )
    costly = Spent() if dearest is None else dearest.spent
    return [
        _meter(_("Today"), used.today, most.day, currency),
        _meter(month, used.month, most.month, currency),
        _meter(_("Most expensive conversation"), costly, most.conversation, currency, url),
    ]


def _meter(label: str, spent: Spent, cap: Cap, currency: str, url: str = "") -> Meter:
    """Return the limit in *cap* that is closest to being reached, or the usage if there is none."""

    def said(name: str, value: int) -> str:
        if name == "money":
            return money(value, currency)
        if name == "tokens":
            return str(ngettext("%(n)s token", "%(n)s tokens", value, n=whole(value)))
        return str(ngettext("%(n)s answer", "%(n)s answers", value, n=whole(value)))

    names = ("money", "tokens", "turns")
    limited = [name for name in names if getattr(cap, name)]
    if not limited:
        name = "money" if spent.money else "turns"
        return Meter(label, said(name, getattr(spent, name)), "", 0, "", url)
    name = max(limited, key=lambda one: getattr(spent, one) / getattr(cap, one))
    share = min(100.0, round(100 * getattr(spent, name) / getattr(cap, name), 1))
    of = said(name, getattr(cap, name))
    return Meter(label, said(name, getattr(spent, name)), of, share, "warn" if share >= 80 else "", url)


def _plot(days: Sequence[tuple[date, TurnCounts]], begins: Sequence[tuple[date, datetime]]) -> Plot:
    """Draw the outcome of questions for each day."""
    counts = [one for _day, one in days]
    whole_ = figures.total(days)
    names: list[tuple[str, str, str]] = [
        (_("Accepted unchanged"), "bar-a", "taken"),
        (_("Edited"), "bar-e", "edited"),
        (_("Answered automatically"), "bar-g", "answered"),
        (_("Handed off"), "bar-b", "handed_over"),
        (_("Failed"), "bar-c", "failed"),
    ]
    starts = [at for _day, at in begins]
    ticks = [_day_name(days[place][0]) for place in (0, 7, 15, 22)]
    return plots.bars(
        "turns",
        _("The last 30 days"),
        _(
            "%(taken)s accepted unchanged, %(edited)s edited, %(answered)s answered automatically, "
            "%(handed)s handed off, %(failed)s failed.",
            taken=whole(whole_.taken),
            edited=whole(whole_.edited),
            answered=whole(whole_.answered),
            handed=whole(whole_.handed_over),
            failed=whole(whole_.failed),
        ),
        starts,
        [Bars(label, style, [getattr(one, name) for one in counts]) for label, style, name in names],
        said=whole,
        ticks=[*ticks, _("Today")],
    )


def _day_name(day: date) -> str:
    return languages.reader().date_text(day, "d MMM")


@bp.post(f"{ONE}/limits")
@workspace_view(NEEDS)
def save_limits(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Save the limits of an assistant."""
    url = url_for("assistants.limits", workspace_id=workspace_id, assistant_id=assistant_id)
    return _saved(workspace_id, assistant_id, forms.limits, limits_page, url)


@bp.post(f"{ONE}/model")
@workspace_view(NEEDS)
def choose_model(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Set the model of an assistant, or none."""
    chosen = request.form.get("model", "")
    # An invalid id matches no model, since no model has the id 0.
    model_id = (read_id(chosen) or 0) if chosen else None
    try:
        write(assistants.change, assistant_id, model_id=model_id)
    except AssistantError as error:
        return setup_page(workspace_id, assistant_id, problem=error)
    flash_good(_("Saved."))
    return redirect(url_of(workspace_id, assistant_id, "model"), 303)


# ---- handoff -------------------------------------------------------------------------------------------


@bp.post(f"{ONE}/handoff")
@workspace_view(NEEDS)
def save_handoff(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Save what customers are told when the assistant hands off."""
    return _saved(
        workspace_id, assistant_id, forms.handoff, setup_page, url_of(workspace_id, assistant_id, "handoff")
    )
