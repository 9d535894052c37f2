"""The cases of an assistant: what a good answer is like, and whether the version that holds gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.automation.assistants import keeping, playing
from host.automation.assistants.knowing import cases, learning
from host.automation.assistants.knowing.cases import Tried, Wanted
from host.automation.assistants.words import said
from host.core import clock, db
from host.core.errors import LobbyError
from host.models.assistants import Assistant, AssistantCase
from host.web.request_helpers import (
    Permission,
    audit,
    flash_bad,
    flash_good,
    form_number,
    id_argument,
    seen_accounts,
    workspace_view,
)

bp = Blueprint("assistant_cases", __name__)

CASES = "/w/<int:workspace_id>/assistants/<int:assistant_id>/cases"
ONE = f"{CASES}/<int:case_id>"


@dataclass(frozen=True, slots=True)
class Filling:
    """What stands in the form.

    :param says: words that a good answer has, one to a line; *never_says*, too.
    :param turn: the turn in which it was asked; 0: somebody wrote it.
    """

    question: str = ""
    hands_over: bool = False
    says: str = ""
    never_says: str = ""
    turn: int = 0


@bp.get(CASES)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """List the cases; with ``turn``, the form holds what was asked there."""
    filling, turn = Filling(), id_argument("turn")
    if turn is not None:
        with db.read() as session:
            keeping.get(session, workspace_id, assistant_id)
            asked = learning.question_of(session, assistant_id, turn, seen_accounts())
        if asked is None:
            flash_bad(_("What the customer asked there is gone, so no case can be made of it."))
        else:
            filling = Filling(question=asked[0], turn=turn)
    return _page(workspace_id, assistant_id, filling)


def _page(
    workspace_id: int,
    assistant_id: int,
    filling: Filling,
    problem: LobbyError | None = None,
    case_id: int | None = None,
) -> ResponseReturnValue:
    """Return the page.

    :param case_id: the case the form is about; None: a new one.
    """
    with db.read() as session:
        row = keeping.get(session, workspace_id, assistant_id)
        found = cases.listing(session, assistant_id)
    page = render_template(
        "automation/cases.html",
        assistant=row,
        tab="cases",
        cases=[(one, _filled(one)) for one in found],
        due=sum(1 for one in found if _is_due(one, row)),
        filling=filling,
        empty=Filling(),
        problem=problem,
        about=case_id,
        longest=cases.LONGEST,
    )
    return page, 200 if problem is None else problem.status


def _is_due(one: AssistantCase, row: Assistant) -> bool:
    return one.tried_version != row.version or not one.passed


def _filled(one: AssistantCase) -> Filling:
    return Filling(one.question, one.hands_over, "\n".join(one.says), "\n".join(one.never_says))


def _given() -> Filling:
    form = request.form
    return Filling(
        question=form.get("question", ""),
        hands_over=form.get("good", "") == "person",
        says=form.get("says", ""),
        never_says=form.get("never_says", ""),
        turn=form_number("turn") or 0,
    )


def _wanted(filling: Filling) -> Wanted:
    return Wanted(
        filling.question, filling.hands_over, filling.says.splitlines(), filling.never_says.splitlines()
    )


@bp.post(f"{CASES}/add")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Add a case. Without what a good answer is like, as the playground sends it, ask for that."""
    filling = _given()
    if "good" not in request.form:
        return _page(workspace_id, assistant_id, filling)
    of: dict[str, Any] = {"workspace_id": workspace_id, "assistant_id": assistant_id, "now": clock.now()}

    def use_case(session: Session) -> None:
        if filling.turn:
            seen: dict[str, Any] = {"turn_id": filling.turn, "seen_accounts": seen_accounts()}
            cases.from_turn(session, wanted=_wanted(filling), **seen, **of)
        else:
            cases.add(session, _wanted(filling), **of)
        _note(session, "case.added", workspace_id, assistant_id)

    try:
        db.write(use_case)
    except cases.CaseError as error:
        return _page(workspace_id, assistant_id, filling, error)
    flash_good(_("The case is saved. It is due to be tried, and again with each new version."))
    return _back(workspace_id, assistant_id)


@bp.post(ONE)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, assistant_id: int, case_id: int) -> ResponseReturnValue:
    """Change a case."""
    filling = _given()

    def use_case(session: Session) -> None:
        cases.change(
            session,
            _wanted(filling),
            workspace_id=workspace_id,
            assistant_id=assistant_id,
            case_id=case_id,
        )
        _note(session, "case.changed", workspace_id, assistant_id)

    try:
        db.write(use_case)
    except cases.CaseError as error:
        return _page(workspace_id, assistant_id, filling, error, case_id)
    flash_good(_("The case is saved. It is due to be tried, and again with each new version."))
    return _back(workspace_id, assistant_id)


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, assistant_id: int, case_id: int) -> ResponseReturnValue:
    """Delete a case."""

    def use_case(session: Session) -> None:
        cases.delete(session, workspace_id=workspace_id, assistant_id=assistant_id, case_id=case_id)
        _note(session, "case.deleted", workspace_id, assistant_id)

    db.write(use_case)
    flash_good(_("The case is gone."))
    return _back(workspace_id, assistant_id)


@bp.post(f"{CASES}/try")
@workspace_view(Permission.ACCOUNTS)
def try_due(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Ask the version that holds the questions of the cases that are due, as many as time allows."""
    tried, left = playing.try_cases(workspace_id, assistant_id)
    _tell(tried, left)
    return _back(workspace_id, assistant_id)


def _tell(tried: Sequence[Tried], left: int) -> None:
    """Say on the next page what came of it."""
    stuck = next((one.problem for one in tried if one.passed is None), "")
    if stuck:
        flash_bad(_("Some could not be tried: %(why)s.", why=said(stuck)))
    told = [one for one in tried if one.passed is not None]
    passed = sum(one.passed is True for one in told)
    if told:
        flash_good(
            ngettext("%(num)s case was tried", "%(num)s cases were tried", len(told))
            + ", "
            + ngettext("%(num)s passed.", "%(num)s passed.", passed)
        )
    if left:
        flash_good(ngettext("%(num)s is left.", "%(num)s are left.", left))


def _note(session: Session, action: str, workspace_id: int, assistant_id: int) -> None:
    row = keeping.get(session, workspace_id, assistant_id)
    audit(session, action, row.name, workspace_id=workspace_id)


def _back(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    return redirect(url_for(".index", workspace_id=workspace_id, assistant_id=assistant_id), 303)
