"""Settings -> Sequences: a sequence as TOML, to copy it, change it, or make a new one from it."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import LobbyError
from host.sequences import sequences
from host.sequences.body import Body, SequenceError
from host.sequences.pages.blueprint import (
    ONE,
    SEQUENCES,
    Opened,
    bp,
    change_sequence,
    head,
    open_sequence,
    seen,
)
from host.sequences.toml_form import from_toml, line_of, to_toml
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    flash_good,
    seen_accounts,
    workspace_view,
    write,
)


@bp.get(f"{ONE}/toml")
@workspace_view(Permission.ACCOUNTS)
def toml(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Show the newest version as TOML, to copy and to change."""
    opened = open_sequence(workspace_id, sequence_id)
    return _page(opened, to_toml(opened.sequence.name, opened.known, seen(opened.there)))


@bp.post(f"{ONE}/toml")
@workspace_view(Permission.ACCOUNTS)
def save_toml(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Save the TOML into the draft, or say where its fault is."""
    opened, text = open_sequence(workspace_id, sequence_id), _given_text()
    try:
        name, body = from_toml(text, seen(opened.there))
        _check_accounts(body, opened.known.accounts)
        change_sequence(sequence_id, name, body)
    except LobbyError as error:
        return _page(opened, text, error)
    flash_good(_("The draft was saved."))
    return redirect(url_for("sequences.sequence", workspace_id=workspace_id, sequence_id=sequence_id), 303)


def _page(opened: Opened, text: str, problem: LobbyError | None = None) -> ResponseReturnValue:
    page = render_template(
        "sequences/toml.html",
        here="steps",
        **head(opened),
        text=text,
        seen_at=request.form.get("seen_at") or opened.stands.at.isoformat(),
        problem=problem,
        next_step=_next_step(problem),
        line=_line(text, problem),
    )
    return page, 200 if problem is None else problem.status


@bp.get(f"{SEQUENCES}/toml")
@workspace_view(Permission.ACCOUNTS)
def new_toml(workspace_id: int) -> ResponseReturnValue:
    """Show an empty field to paste a sequence into."""
    return render_template("sequences/toml.html", shown=None, text="", problem=None, line=None)


@bp.post(f"{SEQUENCES}/toml")
@workspace_view(Permission.ACCOUNTS)
def add_toml(workspace_id: int) -> ResponseReturnValue:
    """Add a draft from TOML, or say where its fault is."""
    text = _given_text()
    try:
        with db.read() as session:
            there = sequences.there(session, workspace_id)
        name, body = from_toml(text, seen(there))
        _check_accounts(body, ())
        added = write(sequences.create, name=name, body=body, directory=current_directory())
    except LobbyError as error:
        page = render_template(
            "sequences/toml.html",
            shown=None,
            text=text,
            problem=error,
            next_step=_next_step(error),
            line=_line(text, error),
        )
        return page, error.status
    flash_good(_("The draft was saved."))
    return redirect(url_for("sequences.sequence", workspace_id=workspace_id, sequence_id=added.id), 303)


def _given_text() -> str:
    """Return the text of the form. Browsers end each line of a field with two characters."""
    return request.form.get("toml", "").replace("\r\n", "\n")


def _next_step(problem: LobbyError | None) -> str:
    """Return what to do about an error in a text, in which nothing is marked."""
    if isinstance(problem, SequenceError) and problem.next_step == str(SequenceError.default_next_step):
        return str(_("Correct the text and save it again."))
    return "" if problem is None else problem.next_step


def _line(text: str, problem: LobbyError | None) -> int | None:
    return None if problem is None or not problem.field else line_of(text, problem.field)


def _check_accounts(body: Body, before: tuple[int, ...]) -> None:
    """Refuse to add or remove accounts that the person does not see.

    :raises SequenceError: if it does.
    """
    mine = seen_accounts()
    if mine is None:
        return
    widened = bool(before) and not body.accounts
    if widened or set(body.accounts) - mine != set(before) - mine:
        sentence = _("You can only add and remove accounts that you see.")
        raise SequenceError(sentence, field="accounts")
