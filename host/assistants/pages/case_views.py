"""Pages for an assistant's cases: questions that each version is tested with."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from host.assistants import assistants, trials
from host.assistants.knowledge import cases, learning
from host.assistants.knowledge.cases import CaseInput, CaseResult
from host.assistants.models import Assistant, AssistantCase
from host.assistants.words import said
from host.core import db
from host.core.errors import LobbyError
from host.live.following import follows
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    flash_bad,
    flash_good,
    form_number,
    id_argument,
    seen_accounts,
    workspace_view,
    write,
)

bp = Blueprint("assistant_cases", __name__, template_folder="../templates")

CASES = "/w/<int:workspace_id>/assistants/<int:assistant_id>/cases"
ONE = f"{CASES}/<int:case_id>"


class CaseForm(msgspec.Struct, frozen=True):
    """The fields of the form.

    :param says: words a good answer contains, one per line; *never_says*: likewise.
    :param turn: the turn of the question; 0 if a person wrote it.
    """

    question: str = ""
    hands_over: bool = False
    says: str = ""
    never_says: str = ""
    turn: int = 0


@bp.get(CASES)
@workspace_view(Permission.ACCOUNTS)
@follows
def index(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """List the cases; with ``turn``, fill the form with its question."""
    filling, turn = CaseForm(), id_argument("turn")
    if turn is not None:
        with db.read() as session:
            assistants.get(session, workspace_id, assistant_id)
            asked = learning.question_of(session, assistant_id, turn, seen_accounts())
        if asked is None:
            flash_bad(_("The customer's question was deleted, so it can't become a test case."))
        else:
            filling = CaseForm(question=asked[0], turn=turn)
    return _page(workspace_id, assistant_id, filling)


def _page(
    workspace_id: int,
    assistant_id: int,
    filling: CaseForm,
    problem: LobbyError | None = None,
    case_id: int | None = None,
) -> ResponseReturnValue:
    """Return the page.

    :param case_id: the case in the form; None for a new one.
    """
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        found = cases.listing(session, assistant_id)
    page = render_template(
        "assistants/cases.html",
        assistant=row,
        tab="cases",
        cases=[(one, _filled(one)) for one in found],
        due=sum(1 for one in found if _is_due(one, row)),
        filling=filling,
        empty=CaseForm(),
        problem=problem,
        about=case_id,
        longest=cases.LONGEST,
    )
    return page, 200 if problem is None else problem.status


def _is_due(one: AssistantCase, row: Assistant) -> bool:
    return one.tried_version != row.version or not one.passed


def _filled(one: AssistantCase) -> CaseForm:
    return CaseForm(one.question, one.hands_over, "\n".join(one.says), "\n".join(one.never_says))


def _given() -> CaseForm:
    form = request.form
    return CaseForm(
        question=form.get("question", ""),
        hands_over=form.get("good", "") == "person",
        says=form.get("says", ""),
        never_says=form.get("never_says", ""),
        turn=form_number("turn") or 0,
    )


def _wanted(filling: CaseForm) -> CaseInput:
    return CaseInput(
        filling.question, filling.hands_over, filling.says.splitlines(), filling.never_says.splitlines()
    )


@bp.post(f"{CASES}/add")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Create a case. If the expected answer is missing, as from the playground, ask for it."""
    filling = _given()
    if "good" not in request.form:
        return _page(workspace_id, assistant_id, filling)
    wanted = _wanted(filling)
    try:
        if filling.turn:
            write(cases.from_turn, assistant_id, filling.turn, wanted)
        else:
            write(cases.add, assistant_id, wanted)
    except cases.CaseError as error:
        return _page(workspace_id, assistant_id, filling, error)
    flash_good(_("Test case saved. It is due to run now and with each new version."))
    return _back(workspace_id, assistant_id)


@bp.post(ONE)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, assistant_id: int, case_id: int) -> ResponseReturnValue:
    """Change a case."""
    filling = _given()
    try:
        write(cases.change, assistant_id, case_id, _wanted(filling))
    except cases.CaseError as error:
        return _page(workspace_id, assistant_id, filling, error, case_id)
    flash_good(_("Test case saved. It is due to run now and with each new version."))
    return _back(workspace_id, assistant_id)


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, assistant_id: int, case_id: int) -> ResponseReturnValue:
    """Delete a case."""
    write(cases.delete, assistant_id, case_id)
    flash_good(_("Test case deleted."))
    return _back(workspace_id, assistant_id)


@bp.post(f"{CASES}/try")
@workspace_view(Permission.ACCOUNTS)
def try_due(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Ask the current version the questions of due cases, as many as time allows."""
    tried, left = trials.try_cases(workspace_id, assistant_id)
    _tell(tried, left)
    return _back(workspace_id, assistant_id)


def _tell(tried: Sequence[CaseResult], left: int) -> None:
    """Flash the results on the next page."""
    stuck = next((one.problem for one in tried if one.passed is None), "")
    if stuck:
        flash_bad(_("Some couldn't be run: %(why)s.", why=said(stuck)))
    told = [one for one in tried if one.passed is not None]
    passed = sum(one.passed is True for one in told)
    if told:
        flash_good(
            ngettext("%(num)s test case was run", "%(num)s test cases were run", len(told))
            + ", "
            + ngettext("%(num)s passed.", "%(num)s passed.", passed)
        )
    if left:
        flash_good(ngettext("%(num)s is left.", "%(num)s are left.", left))


def _back(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    return redirect(url_for(".index", workspace_id=workspace_id, assistant_id=assistant_id), 303)
