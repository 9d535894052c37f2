"""Assistants in the overview of automation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from flask import url_for
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.assistants import assistants as assistant_cases
from host.assistants import gaps
from host.assistants.assistants import AccountMode, AssistantSummary
from host.assistants.models import LanguageModel, Mode
from host.automation import answered_kinds
from host.channels import abilities
from host.core.ports import AssistantDirectory
from host.features.automation_overview import (
    AutomationOverview,
    HandlingStep,
    OverviewAccount,
    OverviewCell,
    OverviewColumn,
    OverviewProblem,
    OverviewState,
)
from host.web.languages import gettext as _
from host.web.request_helpers import url_for_each

STATES: Mapping[Mode, OverviewState] = {
    Mode.OFF: OverviewState.OFF,
    Mode.SHADOW: OverviewState.SHADOW,
    Mode.SUGGEST: OverviewState.SUGGESTS,
    Mode.ANSWER: OverviewState.ANSWERS,
}


def overview(
    session: Session, workspace_id: int, accounts: Sequence[OverviewAccount], directory: AssistantDirectory
) -> AutomationOverview:
    """Return the assistant of each account, and those that are stopped or lack something. Six statements."""
    assistants = {one.id: one for one in assistant_cases.listing(session, workspace_id)}
    places = assistant_cases.places(session, workspace_id)
    ids = [one.id for one in accounts]
    mine = [place for id_ in ids if (place := places.get(id_)) and place.assistant_id in assistants]
    cells = {place.account_id: _cell(place, assistants[place.assistant_id]) for place in mine}
    column = OverviewColumn(
        _l("Assistant"),
        80,
        cells,
        url_for_each("assistants.of_account", "account_id", workspace_id=workspace_id),
        sends=True,
    )
    at_work = [assistants[id_] for id_ in sorted({one.assistant_id for one in mine if one.mode != Mode.OFF})]
    step = HandlingStep(
        50,
        "bot",
        _("Assistant"),
        _(
            "Once the customer stops writing, it answers them, or suggests an answer to your team, unless "
            "someone has answered."
        ),
    )
    found = [
        *_problems(session, workspace_id, at_work),
        *_lacking(session, workspace_id, at_work, directory),
        *_unsent(workspace_id, assistants, mine, directory),
    ]
    return AutomationOverview([column], found, [step])


def _cell(place: AccountMode, assistant: AssistantSummary) -> OverviewCell:
    stopped = assistant.stopped_at is not None and place.mode != Mode.OFF
    return OverviewCell(OverviewState.STOPPED if stopped else STATES[place.mode], assistant.name)


def _problems(
    session: Session, workspace_id: int, at_work: Sequence[AssistantSummary]
) -> Iterator[OverviewProblem]:
    failed = sa.select(LanguageModel.id).where(
        LanguageModel.workspace_id == workspace_id, LanguageModel.problem.is_not(None)
    )
    failing = set(session.scalars(failed))
    for one in at_work:
        page = url_for("assistants.assistant", workspace_id=workspace_id, assistant_id=one.id)
        if one.stopped_at is not None:
            yield OverviewProblem(
                "bad",
                _("The assistant %(name)s is stopped.", name=one.name),
                _("It neither suggests nor answers, and your team gets every message."),
                page,
                _("Open assistant"),
            )
        elif one.model_id in failing:
            yield OverviewProblem(
                "warn",
                _("The model of the assistant %(name)s failed its last test.", name=one.name),
                _("While it fails, conversations go to your team."),
                url_for("models.index", workspace_id=workspace_id),
                _("Open models"),
            )


def _unsent(
    workspace_id: int,
    assistants: Mapping[int, AssistantSummary],
    places: Sequence[AccountMode],
    directory: AssistantDirectory,
) -> Iterator[OverviewProblem]:
    """Yield where an assistant is to answer what customers can't send."""
    for place in places:
        its, adapter = assistants[place.assistant_id], directory.adapter(place.channel)
        if place.mode == Mode.OFF or its.stopped_at is not None or adapter is None:
            continue
        kinds = answered_kinds.missing(abilities.of((adapter,)), place.answers_on)
        if kinds:
            yield OverviewProblem(
                "warn",
                _(
                    "The assistant %(name)s waits for what nobody can send to %(account)s.",
                    name=its.name,
                    account=place.account,
                ),
                _("The channel doesn't have it: %(kinds)s.", kinds=", ".join(map(str, kinds))),
                url_for("assistants.assistant", workspace_id=workspace_id, assistant_id=its.id),
                _("Open assistant"),
            )


def _lacking(
    session: Session, workspace_id: int, at_work: Sequence[AssistantSummary], directory: AssistantDirectory
) -> Iterator[OverviewProblem]:
    """Yield what assistants at work lack, so that they hand off what they are to answer."""
    running = {one.id: one for one in at_work if one.stopped_at is None}
    for id_, lack in gaps.of(session, running, directory).items():
        name = running[id_].name
        to: dict[str, Any] = {"workspace_id": workspace_id, "assistant_id": id_}
        if lack.knows_nothing:
            yield OverviewProblem(
                "warn",
                _("The assistant %(name)s has no knowledge to answer from.", name=name),
                _("Nearly every question goes to your team."),
                url_for("assistant_knowledge.index", **to),
                _("Open knowledge"),
            )
        if lack.lost_model:
            yield OverviewProblem(
                "warn",
                _(
                    "The model %(model)s of the assistant %(name)s was deleted.",
                    model=lack.lost_model,
                    name=name,
                ),
                _("Until you choose another, it offers topics, or hands conversations to your team."),
                url_for("assistants.assistant", **to),
                _("Open assistant"),
            )
        if lack.unread:
            yield OverviewProblem(
                "warn",
                ngettext(
                    "%(num)s entry of the assistant %(name)s can't be read.",
                    "%(num)s entries of the assistant %(name)s can't be read.",
                    lack.unread,
                    name=name,
                ),
                _("Their pages or files are gone or broken, so it doesn't answer from them."),
                url_for("assistant_knowledge.index", **to),
                _("Open knowledge"),
            )
        if lack.no_labels:
            yield OverviewProblem(
                "warn",
                _("The assistant %(name)s may add labels, but none exists.", name=name),
                _("Create labels, or don't let it use this tool."),
                url_for("assistant_tools.index", **to),
                _("Open tools"),
            )
        if lack.tools:
            yield OverviewProblem(
                "warn",
                _(
                    "The assistant %(name)s uses tools that are gone: %(tools)s.",
                    name=name,
                    tools=", ".join(lack.tools),
                ),
                _("Their addons were removed or are off, so it answers without them."),
                url_for("assistant_tools.index", **to),
                _("Open tools"),
            )
