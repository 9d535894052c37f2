"""Macros: run in a conversation, and Settings -> Macros, where people keep them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.core.ids import read_id
from host.inbox.canned import macros
from host.inbox.canned.macros import (
    AddLabel,
    AddNote,
    AssignMe,
    AssignNobody,
    AssignTo,
    Close,
    GiveToTeam,
    MacroStepError,
    MarkSpam,
    Named,
    RemoveLabel,
    Runner,
    SendReply,
    Shown,
    SnoozeUntil,
    Step,
)
from host.inbox.conversations import check_key
from host.inbox.pages.action_views import CONVERSATION, _back, _messages_html
from host.inbox.pages.arguments import form_id
from host.inbox.pages.canned_views import asking, uses_text
from host.inbox.pages.context import bp, opened_inbox, with_conversation
from host.inbox.pages.conversation_view import name_of
from host.inbox.queries import Row
from host.models.canned import Macro
from host.models.inbox import Message
from host.web import account_picker, navigation
from host.web.account_picker import Options
from host.web.languages import reader
from host.web.request_helpers import (
    Permission,
    audit,
    config,
    flash_bad,
    flash_good,
    seen_accounts,
    wants_json,
    workspace_view,
)

navigation.add_settings("inbox.macro_list", _l("Macros"), order=22, icon="macro")

SETTINGS = "/w/<int:workspace_id>/settings/macros"


# ---- in a conversation ---------------------------------------------------------------------------------


@bp.get(f"{CONVERSATION}/macros")
@workspace_view(Permission.ANSWER)
def offered_macros(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """List the macros somebody may run, those used most first: as JSON, or as a page with buttons."""
    who = asking()
    with opened_inbox(workspace_id) as inbox:
        row = inbox.row(conversation_id)
        shown = macros.listing(inbox.session, workspace_id, who)
        there = macros.named(inbox.session, workspace_id, who) if shown else Named({}, {}, {}, {})
    told = [
        {
            "id": one.id,
            "name": one.name,
            "steps": [there.words(step) for step in one.steps],
            "gone": there.any_gone(one.steps) or not one.steps,
            "url": url_for(
                "inbox.run_macro", workspace_id=workspace_id, conversation_id=conversation_id, macro_id=one.id
            ),
        }
        for one in shown
    ]
    if wants_json():
        return jsonify(macros=told, settings=url_for("inbox.macro_list", workspace_id=workspace_id))
    return render_template(
        "inbox/macros_run.html",
        row=row,
        name=name_of(row, inbox.adapter(row)),
        macros=told,
        key=uuid.uuid4().hex,
    )


@bp.post(f"{CONVERSATION}/macros/<int:macro_id>")
@workspace_view(Permission.ANSWER)
@with_conversation
def run_macro(workspace_id: int, row: Row, macro_id: int) -> ResponseReturnValue:
    """Run a macro in the conversation: all of it, or nothing."""
    now = clock.now()
    key = request.form.get("key", "")

    def use_case(session: Session) -> tuple[str, list[Message]]:
        # One that is not here is not here, whatever the form says.
        macros.get(session, workspace_id, macro_id, asking())
        check_key(key)
        macro, messages = macros.run(
            session,
            workspace_id=workspace_id,
            conversation_id=row.id,
            macro_id=macro_id,
            runner=Runner(
                who=asking(),
                key=key[:32],
                zone=reader().zone,
                languages=(config().language, str(reader().locale or "en")),
                seen_id=form_id("seen"),
            ),
            adapter=current_directory().adapter(row.channel),
            now=now,
            accounts=seen_accounts(),
        )
        return macro.name, messages

    try:
        name, messages = db.write(use_case)
    except MacroStepError as error:
        if wants_json():
            raise
        flash_bad(f"{error.sentence} {error.next_step}".strip())
        return _back(workspace_id, row.id)
    if wants_json():
        shown = _messages_html(workspace_id, row.id, [message.id for message in messages])
        return jsonify(messages=shown, sentence=_("%(name)s is done.", name=name))
    flash_good(_("%(name)s is done.", name=name))
    return _back(workspace_id, row.id)


# ---- settings ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filling:
    """What stands in the form of a macro: for each step the value of its select, and the text of a note."""

    name: str = ""
    shared: bool = False
    steps: Sequence[tuple[str, str]] = (("", ""),)

    def read(self) -> tuple[Step, ...]:
        """Return the steps. A select that nothing was chosen in is none.

        :raises MacroError: if one is no step.
        """
        return macros.read_steps([_given(chosen, text) for chosen, text in self.steps if chosen])


def _given(chosen: str, text: str) -> dict[str, Any]:
    kind, _colon, value = chosen.partition(":")
    if kind in macros.NAMING:
        return {"do": kind, macros.NAMING[kind]: read_id(value)}
    if kind == "snooze":
        return {"do": kind, "when": value}
    return {"do": kind, "text": text} if kind == "note" else {"do": kind}


def _chosen(step: Step) -> tuple[str, str]:
    """Return the value of the select of a step, and its text."""
    given = dict(macros.as_json(step))
    kind = str(given.pop("do"))
    if isinstance(step, AddNote):
        return kind, step.text
    return ":".join([kind, *map(str, given.values())]), ""


def _choices(there: Named, filling: Filling, wanted: str | None = None) -> Options:
    """Return what a step can be: groups of the values of a select, and words.

    :param wanted: words of options; None: what the form looks for.
    """
    groups: list[tuple[str, list[Step]]] = [
        (_("Add a label"), [AddLabel(id_) for id_ in there.labels]),
        (_("Take a label off"), [RemoveLabel(id_) for id_ in there.labels]),
        (_("Assign"), [AssignMe(), AssignNobody(), *(AssignTo(id_) for id_ in there.people)]),
        (_("Team"), [GiveToTeam(id_) for id_ in there.teams]),
        (_("Send a canned reply"), [SendReply(id_) for id_ in there.replies]),
        (_("Snooze"), [SnoozeUntil(when) for when in macros.SNOOZES]),
        (_("Other"), [AddNote(""), Close(), MarkSpam()]),
    ]
    offered = [(name, [(_chosen(step)[0], there.words(step)) for step in steps]) for name, steps in groups]
    return account_picker.options("step", offered, {chosen for chosen, _text in filling.steps}, wanted)


@bp.get(SETTINGS)
@workspace_view(Permission.ANSWER)
def macro_list(workspace_id: int) -> ResponseReturnValue:
    """List the macros somebody may run, with what each does, and what it names that is gone."""
    who = asking()
    with db.read() as session:
        shown = macros.listing(session, workspace_id, who)
        there = macros.named(session, workspace_id, who)
    return render_template("inbox/macros.html", rows=shown, named=there, uses_text=uses_text)


@bp.get(f"{SETTINGS}/choices")
@workspace_view(Permission.ANSWER)
def macro_choices(workspace_id: int) -> Response:
    """Return what steps can name that ``q`` finds, for the script of the form."""
    with db.read() as session:
        there = macros.named(session, workspace_id, asking())
    return account_picker.found_options(_choices(there, Filling(), account_picker.searched()))


@bp.get(f"{SETTINGS}/new")
@workspace_view(Permission.ANSWER)
def new_macro(workspace_id: int) -> ResponseReturnValue:
    """Ask for a new macro."""
    return _form(workspace_id, None, Filling(shared=asking().keeps))


@bp.get(f"{SETTINGS}/<int:macro_id>")
@workspace_view(Permission.ANSWER)
def macro(workspace_id: int, macro_id: int) -> ResponseReturnValue:
    """Show a macro, to be changed by who may."""
    shown = _seen(workspace_id, macro_id)
    return _form(
        workspace_id, shown, Filling(shown.name, shown.shared, [_chosen(step) for step in shown.steps])
    )


def _seen(workspace_id: int, macro_id: int) -> Shown:
    with db.read() as session:
        return macros.shown(macros.get(session, workspace_id, macro_id, asking()), asking())


def _form(
    workspace_id: int, shown: Shown | None, filling: Filling, problem: LobbyError | None = None
) -> ResponseReturnValue:
    who = asking()
    with db.read() as session:
        there = macros.named(session, workspace_id, who)
    page = render_template(
        "inbox/macro_form.html",
        shown=shown,
        filling=filling,
        problem=problem,
        named=there,
        choices=_choices(there, filling),
        keeps=who.keeps,
        most=macros.MOST_STEPS,
        longest_note=macros.LONGEST_NOTE,
    )
    return page, 200 if problem is None else problem.status


@bp.post(f"{SETTINGS}/new")
@workspace_view(Permission.ANSWER)
def add_macro(workspace_id: int) -> ResponseReturnValue:
    """Add a macro."""
    return _save(workspace_id, None)


@bp.post(f"{SETTINGS}/<int:macro_id>")
@workspace_view(Permission.ANSWER)
def change_macro(workspace_id: int, macro_id: int) -> ResponseReturnValue:
    """Change a macro."""
    return _save(workspace_id, _seen(workspace_id, macro_id))


def _save(workspace_id: int, shown: Shown | None) -> ResponseReturnValue:
    """Save the form; or show it again, with its steps moved as a button asked for, or with what was wrong."""
    form = request.form
    steps = list(zip(form.getlist("step"), form.getlist("text"), strict=False))[: macros.MOST_STEPS]
    filling = Filling(form.get("name", ""), form.get("whose") == "all", steps)
    if account_picker.is_looking():
        return _form(workspace_id, shown, filling)
    if form.get("move"):
        return _form(workspace_id, shown, replace(filling, steps=_moved(steps, form["move"])))
    who, now = asking(), clock.now()

    def use_case(session: Session) -> Macro:
        values: dict[str, Any] = {
            "workspace_id": workspace_id,
            "who": who,
            "name": filling.name,
            "steps": filling.read(),
            "shared": filling.shared,
            "now": now,
        }
        if shown is None:
            row = macros.create(session, **values)
        else:
            row = macros.change(session, macro_id=shown.id, **values)
        if row.owner_id is None or (shown is not None and shown.shared):
            action = "macro.added" if shown is None else "macro.changed"
            audit(session, action, row.name, workspace_id=workspace_id)
        return row

    try:
        row = db.write(use_case)
    except LobbyError as error:
        return _form(workspace_id, shown, filling, error)
    flash_good(_("The macro %(name)s is saved.", name=row.name))
    return redirect(url_for("inbox.macro_list", workspace_id=workspace_id), 303)


def _moved(steps: list[tuple[str, str]], move: str) -> list[tuple[str, str]]:
    """Return *steps* after a button: ``add``, or ``up``, ``down`` or ``remove`` with the place of a step."""
    what, _colon, at = move.partition(":")
    place = read_id(at)
    if what == "add" and len(steps) < macros.MOST_STEPS:
        return [*steps, ("", "")]
    if place is None or place >= len(steps):
        return steps
    one = steps.pop(place)
    if what != "remove":
        steps.insert(max(0, place + (-1 if what == "up" else 1)), one)
    return steps or [("", "")]


@bp.post(f"{SETTINGS}/<int:macro_id>/delete")
@workspace_view(Permission.ANSWER)
def delete_macro(workspace_id: int, macro_id: int) -> ResponseReturnValue:
    """Delete a macro."""

    def use_case(session: Session) -> str:
        gone = macros.delete(session, workspace_id=workspace_id, macro_id=macro_id, who=asking())
        if gone.owner_id is None:
            audit(session, "macro.deleted", gone.name, workspace_id=workspace_id)
        return gone.name

    flash_good(_("The macro %(name)s is gone.", name=db.write(use_case)))
    return redirect(url_for("inbox.macro_list", workspace_id=workspace_id), 303)
