"""Macros: several actions on a conversation with one click, all of them or none.

A macro that refers to a deleted label, person or canned reply reports that and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.automation import actions
from host.automation.actions import (
    LONGEST_NOTE,
    ActionContext,
    ActionRunner,
    AddNote,
    ConversationAction,
    SendReply,
)
from host.core.cleaning import clean_written
from host.core.errors import ConflictError, ForbiddenError, InvalidError, LobbyError, NotFoundError
from host.inbox import names
from host.inbox.canned.models import Macro
from host.inbox.canned.replies import Viewer
from host.inbox.errors import ChangedMeanwhileError, ConversationNotFoundError
from host.inbox.reply import take_lane
from host.models.inbox import Message
from host.sdk import strictjson
from host.sdk.channel import ChannelAdapter
from host.users.actor import UnitOfWork

MOST = 100
"""Maximum number of shared macros, and of one member's: the menu lists all of them."""
MOST_STEPS = 20
_MACROS = Macro.metadata.tables["macros"]


class MacroNotFoundError(NotFoundError):
    """The macro does not exist, or belongs to another person."""

    code = "macro_not_found"
    title = _l("Macro not found")
    default_sentence = _l("This macro does not exist. It may have been deleted.")
    default_next_step = _l("Choose another one.")
    program_step = ""


class MacroError(InvalidError):
    """A macro is incomplete or invalid; *field* names the place."""

    code = "macro"
    title = _l("The macro is incomplete")
    default_sentence = _l("A macro needs between 1 and 20 steps. Nothing was saved.")
    default_next_step = _l("Choose at least one step.")


class SharedMacroError(ForbiddenError):
    """Only leads and owners may change shared macros."""

    code = "shared_macro"
    default_sentence = _l("Only leads and owners can change shared macros. Nothing was changed.")


class MacroStepError(ConflictError):
    """A step of a macro failed, so none was run."""

    code = "macro_step"
    title = _l("The macro was not run")
    default_sentence = _l("A step of the macro failed, so nothing was changed.")


def steps_of(row: Macro) -> tuple[ConversationAction, ...]:
    """Return the steps of a macro; none if a newer Lobby wrote them."""
    try:
        return strictjson.convert(list(row.steps), tuple[ConversationAction, ...])
    except msgspec.ValidationError:
        return ()


def read_steps(steps: Sequence[Mapping[str, Any]]) -> tuple[ConversationAction, ...]:
    """Return the steps of a form or request.

    :raises MacroError: if one is invalid.
    """
    try:
        return strictjson.convert([dict(step) for step in steps], tuple[ConversationAction, ...])
    except msgspec.ValidationError:
        raise MacroError(_l("One of the steps is unknown. Nothing was saved."), field="steps") from None


class MacroView(msgspec.Struct, frozen=True):
    """A macro as a person or program sees it.

    :param changes: whether they may change it.
    """

    id: int
    name: str
    steps: tuple[ConversationAction, ...]
    shared: bool
    changes: bool
    uses: int
    used_at: datetime | None


def listing(session: Session, workspace_id: int, viewer: Viewer) -> list[MacroView]:
    """Return the macros that *viewer* may run, the most used first: one statement."""
    mine = Macro.owner_id == viewer.user_id if viewer.user_id is not None else sa.false()
    query = sa.select(Macro).where(Macro.workspace_id == workspace_id, sa.or_(Macro.owner_id.is_(None), mine))
    rows = sorted(session.scalars(query), key=lambda row: (-row.uses, row.name.casefold(), row.id))
    return [shown(row, viewer) for row in rows]


def shown(row: Macro, viewer: Viewer) -> MacroView:
    """Return a macro as *viewer* sees it."""
    shared = row.owner_id is None
    return MacroView(
        row.id, row.name, steps_of(row), shared, viewer.keeps or not shared, row.uses, row.used_at
    )


def get(session: Session, workspace_id: int, macro_id: int, viewer: Viewer, *, lock: bool = False) -> Macro:
    """Return a macro that *viewer* may run.

    :param lock: whether to lock it until the write ends, to change it.
    :raises MacroNotFoundError: if there is none.
    :raises SharedMacroError: with *lock*, if they may not change it.
    """
    mine = Macro.owner_id == viewer.user_id if viewer.user_id is not None else sa.false()
    query = sa.select(Macro).where(
        Macro.id == macro_id, Macro.workspace_id == workspace_id, sa.or_(Macro.owner_id.is_(None), mine)
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise MacroNotFoundError()
    if lock and not shown(row, viewer).changes:
        raise SharedMacroError()
    return row


def create(
    work: UnitOfWork, viewer: Viewer, *, name: str, steps: tuple[ConversationAction, ...], shared: bool
) -> Macro:
    """Add a macro and return it.

    :raises MacroError: if its name or steps are invalid, or there are too many macros.
    :raises SharedMacroError: if *viewer* may not share it.
    """
    session, workspace_id = work.session, work.workspace_id
    _check_shared(viewer, shared)
    owner_id = None if shared else viewer.user_id
    theirs = Macro.owner_id.is_(None) if owner_id is None else Macro.owner_id == owner_id
    query = sa.select(sa.func.count()).where(Macro.workspace_id == workspace_id, theirs)
    if (session.scalar(query) or 0) >= MOST:
        raise MacroError(_l("You have reached the maximum number of macros. Nothing was saved."))
    row = Macro(
        workspace_id=workspace_id,
        owner_id=owner_id,
        name=checked_name(name),
        steps=_checked(session, workspace_id, steps, viewer, shared),
        created_at=work.now,
        changed_at=work.now,
    )
    session.add(row)
    session.flush()
    if owner_id is None:
        work.audit("macro.added", row.name)
    return row


def change(
    work: UnitOfWork,
    macro_id: int,
    viewer: Viewer,
    *,
    name: str,
    steps: tuple[ConversationAction, ...],
    shared: bool,
) -> Macro:
    """Replace the name, steps and owner of a macro, and return it.

    It raises the errors of :func:`get` and :func:`create`.
    """
    session = work.session
    row = get(session, work.workspace_id, macro_id, viewer, lock=True)
    was_shared = row.owner_id is None
    _check_shared(viewer, shared)
    row.name = checked_name(name)
    row.steps = _checked(session, work.workspace_id, steps, viewer, shared)
    row.owner_id = None if shared else viewer.user_id
    row.changed_at = work.now
    session.flush()
    if row.owner_id is None or was_shared:
        work.audit("macro.changed", row.name)
    return row


def delete(work: UnitOfWork, macro_id: int, viewer: Viewer) -> Macro:
    """Delete a macro and return its earlier values. It raises the errors of :func:`get`."""
    session = work.session
    row = get(session, work.workspace_id, macro_id, viewer, lock=True)
    session.execute(sa.delete(Macro).where(Macro.id == row.id))
    session.expunge(row)
    if row.owner_id is None:
        work.audit("macro.deleted", row.name)
    return row


def checked_name(name: str) -> str:
    """Return the name of a macro in its stored form.

    :raises MacroError: if it is empty or too long.
    """
    refusal = MacroError(
        _l("A macro needs a name of up to 40 characters. Nothing was saved."),
        next_step=lazy_pgettext("macro", "Give it a name."),
        field="name",
    )
    return names.checked(name, refusal)


def _check_shared(viewer: Viewer, shared: bool) -> None:
    if shared and not viewer.keeps:
        raise SharedMacroError()


def _checked(
    session: Session, workspace_id: int, steps: tuple[ConversationAction, ...], viewer: Viewer, shared: bool
) -> list[Any]:
    """Return steps in their stored form."""
    if not 0 < len(steps) <= MOST_STEPS:
        raise MacroError(field="steps")
    # A shared macro may refer only to shared objects.
    targets = actions.targets(session, workspace_id, Viewer(None, keeps=False) if shared else viewer)
    for number, step in enumerate(steps, 1):
        if targets.is_missing(step):
            raise MacroError(
                _l(
                    "Step %(number)s uses something that not everyone who can run the macro has access to.",
                    number=number,
                ),
                next_step=_l(
                    "Choose something else. A shared macro can only send replies shared with everyone."
                ),
                field="steps",
            )
        if isinstance(step, AddNote) and not 0 < len(clean_written(step.text)) <= LONGEST_NOTE:
            raise MacroError(
                _l("The note in step %(number)s is empty or has more than 2,000 characters.", number=number),
                next_step=_l("Write a note of up to 2,000 characters."),
                field="steps",
            )
    return [
        actions.to_builtins(AddNote(clean_written(step.text)) if isinstance(step, AddNote) else step)
        for step in steps
    ]


def sends(session: Session, workspace_id: int, macro_id: int, viewer: Viewer) -> bool:
    """Return whether a macro sends something.

    :raises MacroNotFoundError: if *viewer* has no such macro.
    """
    steps = steps_of(get(session, workspace_id, macro_id, viewer))
    return any(isinstance(step, SendReply) for step in steps)


def run(
    work: UnitOfWork,
    conversation_id: int,
    macro_id: int,
    *,
    context: ActionContext,
    adapter: ChannelAdapter | None,
) -> tuple[Macro, list[Message]]:
    """Run the steps of a macro in order, in one write; return it and the messages it sent.

    :raises MacroNotFoundError: if *context* has no such macro.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises ChangedMeanwhileError: if somebody else changed what a step is about since a page showed it.
    :raises MacroStepError: if a step could not be done, with its number and the reason; the write is undone.
    """
    session, workspace_id = work.session, work.workspace_id
    macro = get(session, workspace_id, macro_id, context.viewer)
    steps = steps_of(macro)
    if any(isinstance(step, SendReply) for step in steps):
        # Lanes are locked before conversations, regardless of the reply's place in the macro.
        take_lane(session, workspace_id, conversation_id)
    targets = actions.targets(session, workspace_id, context.viewer)
    if not steps:
        raise MacroStepError(
            _l("This macro was made with a newer version of Lobby and cannot be run. Nothing was changed.")
        )
    runner = ActionRunner(work, conversation_id, context, adapter)
    for number, step in enumerate(steps, 1):
        try:
            if targets.is_missing(step):
                raise MacroError(
                    _l("Something it uses was deleted."), next_step=_l("Change the macro in the settings.")
                )
            runner.run(number, step)
        except (ChangedMeanwhileError, ConversationNotFoundError):
            raise
        except LobbyError as error:
            raise MacroStepError(
                _l(
                    "%(macro)s failed at step %(number)s, “%(step)s”. Nothing was changed. %(why)s",
                    macro=macro.name,
                    number=number,
                    step=targets.describe(step),
                    why=error.sentence,
                ),
                next_step=error.next_step,
            ) from error
    session.execute(
        sa.update(_MACROS).where(_MACROS.c.id == macro.id).values(uses=_MACROS.c.uses + 1, used_at=work.now)
    )
    return macro, runner.sent
