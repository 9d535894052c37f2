"""Macros of a conversation, and Settings → Macros, where people manage them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation import action_forms, actions
from host.automation.actions import (
    ActionContext,
    ActionTargets,
    AddLabel,
    AddNote,
    AssignMe,
    AssignNobody,
    AssignTo,
    Close,
    ConversationAction,
    GiveToTeam,
    MarkSpam,
    RemoveLabel,
    SendReply,
    SnoozeUntil,
)
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.inbox.canned import macros
from host.inbox.canned.macros import MacroStepError, MacroView
from host.inbox.canned.pages.reply_views import current_viewer, uses_text
from host.inbox.conversations import check_key
from host.inbox.errors import ChangedMeanwhileError
from host.inbox.foreseen import counting
from host.inbox.foreseen.changes import of_steps
from host.inbox.foreseen.views import sentence
from host.inbox.pages.action_views import CONVERSATION, messages_html, redirect_back, told
from host.inbox.pages.arguments import form_id
from host.inbox.pages.context import opened_inbox, with_conversation
from host.inbox.pages.conversation_view import name_of
from host.inbox.pages.inbox_page import template_values
from host.inbox.queries import Row
from host.live.following import follows
from host.models.inbox import Message, state_mark
from host.users.actor import UnitOfWork
from host.web import account_picker, navigation
from host.web.account_picker import Options
from host.web.languages import gettext as _
from host.web.languages import reader
from host.web.request_helpers import (
    Permission,
    config,
    flash_bad,
    flash_good,
    wants_json,
    workspace_view,
    write,
)

bp = Blueprint("macros", __name__, template_folder="../templates")
bp.context_processor(template_values)  # for the messages that a macro sent

navigation.add_settings(
    "macros.index",
    _l("Macros"),
    order=22,
    section=navigation.REPLIES,
    icon="macro",
    words="several actions, one click, Aktionen, ein Klick",
)

SETTINGS = "/w/<int:workspace_id>/settings/macros"


# ---- in a conversation ---------------------------------------------------------------------------------


@bp.get(f"{CONVERSATION}/macros")
@workspace_view(Permission.ANSWER)
@follows
def offered(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """List the macros a person may run, most used first: as JSON, or as a page with buttons."""
    viewer = current_viewer()
    with opened_inbox(workspace_id) as inbox:
        row = inbox.row(conversation_id)
        shown = macros.listing(inbox.session, workspace_id, viewer)
        targets = (
            actions.targets(inbox.session, workspace_id, viewer) if shown else ActionTargets({}, {}, {}, {})
        )
        after = _messages_after(inbox.session, workspace_id, conversation_id, shown)
    listed = [
        {
            "id": one.id,
            "name": one.name,
            "steps": [targets.describe(step) for step in one.steps],
            "gone": targets.any_missing(one.steps) or not one.steps,
            "after": after.get(one.id, ""),
            "url": url_for(
                "macros.run", workspace_id=workspace_id, conversation_id=conversation_id, macro_id=one.id
            ),
        }
        for one in shown
    ]
    if wants_json():
        return jsonify(macros=listed, settings=url_for("macros.index", workspace_id=workspace_id))
    return render_template(
        "canned/run_macro.html",
        row=row,
        name=name_of(row, inbox.adapter(row)),
        macros=listed,
        shown=state_mark(row),
        key=uuid.uuid4().hex,
    )


def _messages_after(
    session: Session, workspace_id: int, conversation_id: int, shown: Sequence[MacroView]
) -> dict[int, str]:
    """Return which messages other than its own each macro could lead to, in a sentence, by its id."""
    changes = {one.id: of_steps(actions.kind_of(step) for step in one.steps) for one in shown}
    if not any(changes.values()):
        return {}
    found = counting.of_one(session, workspace_id, conversation_id, current_directory(), clock.now())
    return {id_: sentence(names) for id_, some in changes.items() if (names := found.of(some))}


@bp.post(f"{CONVERSATION}/macros/<int:macro_id>")
@workspace_view(Permission.ANSWER)
@with_conversation
def run(workspace_id: int, row: Row, macro_id: int) -> ResponseReturnValue:
    """Run a macro in the conversation: all of it, or nothing."""
    key = request.form.get("key", "")

    def run(work: UnitOfWork) -> tuple[str, list[Message]]:
        # A missing macro is reported even if the form is invalid, too.
        macros.get(work.session, workspace_id, macro_id, current_viewer())
        check_key(key)
        context = ActionContext(
            viewer=current_viewer(),
            key=key[:32],
            zone=reader().zone,
            languages=(config().language, str(reader().locale or "en")),
            seen_id=form_id("seen"),
            shown=request.form.get("shown") or None,
        )
        adapter = current_directory().adapter(row.channel)
        macro, messages = macros.run(work, row.id, macro_id, context=context, adapter=adapter)
        return macro.name, messages

    try:
        name, messages = write(run)
    except ChangedMeanwhileError as error:
        return told(error, workspace_id, row.id)
    except MacroStepError as error:
        if wants_json():
            raise
        flash_bad(f"{error.sentence} {error.next_step}".strip())
        return redirect_back(workspace_id, row.id)
    if wants_json():
        shown = messages_html(workspace_id, row.id, [message.id for message in messages])
        return jsonify(messages=shown, sentence=_("Macro “%(name)s” applied.", name=name))
    flash_good(_("Macro “%(name)s” applied.", name=name))
    return redirect_back(workspace_id, row.id)


# ---- settings ------------------------------------------------------------------------------------------


class MacroForm(msgspec.Struct, frozen=True):
    """The form of a macro: the selected value of each step, and the text of a note."""

    name: str = ""
    shared: bool = False
    steps: Sequence[tuple[str, str]] = (("", ""),)

    def read(self) -> tuple[ConversationAction, ...]:
        """Return the steps; rows where nothing is chosen are skipped.

        :raises MacroError: if one is invalid.
        """
        return macros.read_steps(
            [action_forms.fields_of(chosen, text) for chosen, text in self.steps if chosen]
        )


def _choices(targets: ActionTargets, filling: MacroForm, wanted: str | None = None) -> Options:
    """Return the options of a step, in groups.

    :param wanted: search text; None for the options the form searches for.
    """
    groups: list[tuple[str, list[ConversationAction]]] = [
        (_("Add a label"), [AddLabel(id_) for id_ in targets.labels]),
        (_("Remove a label"), [RemoveLabel(id_) for id_ in targets.labels]),
        (_("Assign"), [AssignMe(), AssignNobody(), *(AssignTo(id_) for id_ in targets.people)]),
        (_("Team"), [GiveToTeam(id_) for id_ in targets.teams]),
        (_("Send a canned reply"), [SendReply(id_) for id_ in targets.replies]),
        (_("Snooze"), [SnoozeUntil(when) for when in actions.SNOOZES]),
        (_("Other"), [AddNote(""), Close(), MarkSpam()]),
    ]
    offered = [
        (name, [(action_forms.row_of(step)[0], targets.describe(step)) for step in steps])
        for name, steps in groups
    ]
    return account_picker.options("step", offered, {chosen for chosen, _text in filling.steps}, wanted)


@bp.get(SETTINGS)
@workspace_view(Permission.ANSWER)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the macros a person may run, with their steps, and mark deleted references."""
    viewer = current_viewer()
    with db.read() as session:
        shown = macros.listing(session, workspace_id, viewer)
        targets = actions.targets(session, workspace_id, viewer)
    return render_template("canned/macros.html", rows=shown, targets=targets, uses_text=uses_text)


@bp.get(f"{SETTINGS}/choices")
@workspace_view(Permission.ANSWER)
def choices(workspace_id: int) -> Response:
    """Return the step options that match ``q``, for the script of the form."""
    with db.read() as session:
        targets = actions.targets(session, workspace_id, current_viewer())
    return account_picker.found_options(_choices(targets, MacroForm(), account_picker.searched()))


@bp.get(f"{SETTINGS}/new")
@workspace_view(Permission.ANSWER)
def new(workspace_id: int) -> ResponseReturnValue:
    """Show the form for a new macro."""
    return _form(workspace_id, None, MacroForm(shared=current_viewer().keeps))


@bp.get(f"{SETTINGS}/<int:macro_id>")
@workspace_view(Permission.ANSWER)
def macro(workspace_id: int, macro_id: int) -> ResponseReturnValue:
    """Show the form of a macro, read-only for people who may not change it."""
    shown = _seen(workspace_id, macro_id)
    return _form(
        workspace_id,
        shown,
        MacroForm(shown.name, shown.shared, [action_forms.row_of(step) for step in shown.steps]),
    )


def _seen(workspace_id: int, macro_id: int) -> MacroView:
    with db.read() as session:
        return macros.shown(macros.get(session, workspace_id, macro_id, current_viewer()), current_viewer())


def _form(
    workspace_id: int, shown: MacroView | None, filling: MacroForm, problem: LobbyError | None = None
) -> ResponseReturnValue:
    viewer = current_viewer()
    with db.read() as session:
        targets = actions.targets(session, workspace_id, viewer)
    page = render_template(
        "canned/macro_form.html",
        shown=shown,
        filling=filling,
        problem=problem,
        targets=targets,
        choices=_choices(targets, filling),
        keeps=viewer.keeps,
        most=macros.MOST_STEPS,
        longest_note=actions.LONGEST_NOTE,
    )
    return page, 200 if problem is None else problem.status


@bp.post(f"{SETTINGS}/new")
@workspace_view(Permission.ANSWER)
def add(workspace_id: int) -> ResponseReturnValue:
    """Create a macro."""
    return _save(workspace_id, None)


@bp.post(f"{SETTINGS}/<int:macro_id>")
@workspace_view(Permission.ANSWER)
def change(workspace_id: int, macro_id: int) -> ResponseReturnValue:
    """Change a macro."""
    return _save(workspace_id, _seen(workspace_id, macro_id))


def _save(workspace_id: int, shown: MacroView | None) -> ResponseReturnValue:
    """Save the form, or show it again with the error, or with its steps moved by a button."""
    form = request.form
    steps = list(zip(form.getlist("step"), form.getlist("text"), strict=False))[: macros.MOST_STEPS]
    filling = MacroForm(form.get("name", ""), form.get("whose") == "all", steps)
    if account_picker.is_looking():
        return _form(workspace_id, shown, filling)
    if form.get("move"):
        return _form(
            workspace_id,
            shown,
            replace(filling, steps=action_forms.rearranged(steps, form["move"], macros.MOST_STEPS, ("", ""))),
        )
    try:
        values: dict[str, Any] = {"name": filling.name, "steps": filling.read(), "shared": filling.shared}
        if shown is None:
            row = write(macros.create, current_viewer(), **values)
        else:
            row = write(macros.change, shown.id, current_viewer(), **values)
    except LobbyError as error:
        return _form(workspace_id, shown, filling, error)
    flash_good(_("Macro “%(name)s” saved.", name=row.name))
    return redirect(url_for("macros.index", workspace_id=workspace_id), 303)


@bp.post(f"{SETTINGS}/<int:macro_id>/delete")
@workspace_view(Permission.ANSWER)
def delete(workspace_id: int, macro_id: int) -> ResponseReturnValue:
    """Delete a macro."""
    gone = write(macros.delete, macro_id, current_viewer())
    flash_good(_("Macro “%(name)s” deleted.", name=gone.name))
    return redirect(url_for("macros.index", workspace_id=workspace_id), 303)
