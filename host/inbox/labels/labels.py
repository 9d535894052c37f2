"""Labels of workspaces and of their conversations.

Leads create, rename, recolour, merge and delete labels; everyone who answers adds them to and removes them
from conversations. They refer to labels by id, so a rename is visible everywhere immediately.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.events.kinds.conversations import (
    CONVERSATION_LABELLED,
    CONVERSATION_UNLABELLED,
    LABEL_DELETED,
    OfLabel,
)
from host.events.writing import publish
from host.inbox import names
from host.inbox.conversations import add_activity, locked_conversation, record_conversation
from host.inbox.labels.errors import LabelNameError, LabelNotFoundError
from host.inbox.labels.models import ConversationLabel, Label, LabelTone
from host.models.saved_views import SavedView
from host.users.actor import UnitOfWork

MOST = 500
"""Maximum number of labels of a workspace: every menu lists all of them."""

_TAKEN = _l("A label with that name already exists. Nothing was saved.")
_TABLE = ConversationLabel.metadata.tables["conversation_labels"]


class LabelRow(msgspec.Struct, frozen=True):
    """A label on the page of labels.

    :param conversations: number of conversations with it, including closed ones and spam.
    """

    id: int
    name: str
    tone: LabelTone
    conversations: int


def all_of(session: Session, workspace_id: int) -> Sequence[Label]:
    """Return the labels of a workspace, by name."""
    query = sa.select(Label).where(Label.workspace_id == workspace_id).order_by(Label.name, Label.id)
    return session.scalars(query).all()


def listing(session: Session, workspace_id: int) -> list[LabelRow]:
    """Return the labels of a workspace, by name, each with the number of its conversations."""
    number = (
        sa.select(sa.func.count())
        .where(ConversationLabel.label_id == Label.id)
        .correlate(Label)
        .scalar_subquery()
    )
    query = sa.select(Label.id, Label.name, Label.tone, number).where(Label.workspace_id == workspace_id)
    rows = session.execute(query.order_by(Label.name, Label.id))
    return [LabelRow(id_, name, LabelTone(tone), count) for id_, name, tone, count in rows]


def get(session: Session, workspace_id: int, label_id: int, *, lock: bool = False) -> Label:
    """Return a label of the workspace.

    :param lock: whether to lock it until the write ends.
    :raises LabelNotFoundError: if the workspace has no such label.
    """
    label = names.find(session, Label, workspace_id, label_id, lock=lock)
    if label is None:
        raise LabelNotFoundError()
    return label


# ---- the labels of a workspace ------------------------------------------------------------------------


def by_name(session: Session, workspace_id: int, name: str) -> Label:
    """Return the label of a workspace by its name, ignoring case.

    :raises LabelNotFoundError: if there is none.
    """
    query = sa.select(Label).where(Label.workspace_id == workspace_id, Label.name_key == names.name_key(name))
    label = session.scalars(query).one_or_none()
    if label is None:
        raise LabelNotFoundError()
    return label


def create(work: UnitOfWork, *, name: str, tone: LabelTone) -> Label:
    """Add a label to the workspace and return it.

    :raises LabelNameError: if *name* is empty, too long, or equals another name ignoring case; or if the
        workspace has :data:`MOST` labels.
    """
    number = sa.select(sa.func.count()).where(Label.workspace_id == work.workspace_id)
    if (work.session.scalar(number) or 0) >= MOST:
        raise LabelNameError(_l("The workspace has reached the maximum number of labels. Nothing was saved."))
    label = Label(
        workspace_id=work.workspace_id, name=_checked(name), tone=LabelTone(tone), created_at=work.now
    )
    names.save(work.session, label, LabelNameError(_TAKEN))
    work.audit("label.added", label.name)
    return label


def change(
    work: UnitOfWork, label_id: int, *, name: str | None = None, tone: LabelTone | None = None
) -> Label:
    """Rename or recolour a label; None keeps the value. Return it.

    :raises LabelNotFoundError: if the workspace has no such label.
    :raises LabelNameError: as :func:`create`.
    """
    label = get(work.session, work.workspace_id, label_id, lock=True)
    if name is not None:
        label.name = _checked(name)
    if tone is not None:
        label.tone = LabelTone(tone)
    names.save(work.session, label, LabelNameError(_TAKEN))
    work.audit("label.changed", label.name)
    return label


def delete(work: UnitOfWork, label_id: int) -> Label:
    """Delete a label, and remove it from every conversation. Return its earlier values.

    :raises LabelNotFoundError: if the workspace has no such label.
    """
    label = get(work.session, work.workspace_id, label_id, lock=True)
    _remove(work, label, into=None)
    work.audit("label.deleted", label.name)
    return label


def merge(work: UnitOfWork, label_id: int, *, into_id: int) -> tuple[Label, Label]:
    """Replace one label by another in every conversation and saved view, and delete the first.

    :return: the deleted label and the remaining one.
    :raises LabelNotFoundError: if one of them is not in the workspace.
    :raises LabelNameError: if they are the same label.
    """
    if label_id == into_id:
        raise LabelNameError(_l("A label cannot be merged with itself, so nothing was changed."))
    # In a fixed order, so that two concurrent merges of the same labels do not deadlock.
    ids = sorted((label_id, into_id))
    found = {id_: get(work.session, work.workspace_id, id_, lock=True) for id_ in ids}
    label, into = found[label_id], found[into_id]
    having = sa.select(
        _TABLE.c.conversation_id, sa.literal(into_id, _TABLE.c.label_id.type), _TABLE.c.at
    ).where(
        _TABLE.c.label_id == label_id,
        _TABLE.c.conversation_id.not_in(
            # In a derived table: MariaDB cannot otherwise read the table it inserts into.
            sa.select(sa.select(_TABLE.c.conversation_id).where(_TABLE.c.label_id == into_id).subquery().c[0])
        ),
    )
    work.session.execute(sa.insert(_TABLE).from_select(["conversation_id", "label_id", "at"], having))
    _replace_in_views(work.session, work.workspace_id, label_id, into_id)
    _remove(work, label, into=into_id)
    work.audit("label.merged", label.name, details={"into": into.name})
    return label, into


def _remove(work: UnitOfWork, label: Label, *, into: int | None) -> None:
    work.session.execute(sa.delete(_TABLE).where(_TABLE.c.label_id == label.id))
    work.session.execute(sa.delete(Label).where(Label.id == label.id))
    work.session.expunge(label)
    publish(work, LABEL_DELETED, OfLabel(label=label.id, into=into or 0))


def _replace_in_views(session: Session, workspace_id: int, label_id: int, into_id: int) -> None:
    for view in session.scalars(sa.select(SavedView).where(SavedView.workspace_id == workspace_id)):
        view.condition = {
            name: sorted({into_id if one == label_id else one for one in value})
            if name in {"labels", "all_labels", "no_labels"}
            else value
            for name, value in view.condition.items()
        }


def _checked(name: str) -> str:
    return names.checked(name, LabelNameError(), LabelNameError(names.TOO_LONG))


# ---- the labels of a conversation ---------------------------------------------------------------------


def set_labels(
    work: UnitOfWork,
    conversation_id: int,
    *,
    add: Collection[int] = (),
    remove: Collection[int] = (),
    with_activity: bool = True,
) -> bool:
    """Add and remove labels of a conversation. Return whether that changed anything.

    Adding a label it has, or removing one it does not have, changes nothing. A label in both is removed.

    :param with_activity: False leaves out the activity lines; events are still recorded.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises LabelNotFoundError: if a label to add is not in the workspace.
    """
    session, conversation = work.session, locked_conversation(work, conversation_id)
    wanted = set(add) - set(remove)
    query = sa.select(Label.id, Label.name).where(
        Label.workspace_id == work.workspace_id, Label.id.in_(wanted | set(remove))
    )
    # A shared lock, so that they are not deleted before this is written.
    called = {
        row.id: row.name for row in session.execute(query.order_by(Label.id).with_for_update(read=True))
    }
    if unknown := wanted - called.keys():
        raise LabelNotFoundError(wrong_values=unknown)
    has = set(
        session.scalars(
            sa.select(ConversationLabel.label_id).where(ConversationLabel.conversation_id == conversation.id)
        )
    )
    new, gone = sorted(wanted - has), sorted(has & set(remove))
    if new:
        rows = [{"conversation_id": conversation.id, "label_id": id_, "at": work.now} for id_ in new]
        session.execute(sa.insert(_TABLE), rows)
    if gone:
        mine = _TABLE.c.conversation_id == conversation.id
        session.execute(sa.delete(_TABLE).where(mine, _TABLE.c.label_id.in_(gone)))
    for ids, what, kind in (
        (new, "labelled", CONVERSATION_LABELLED),
        (gone, "unlabelled", CONVERSATION_UNLABELLED),
    ):
        if ids and with_activity:
            content = {"what": what, "name": ", ".join(called[id_] for id_ in ids)}
            add_activity(work, conversation, content)
        for id_ in ids:
            record_conversation(work, conversation, kind, OfLabel(label=id_, name=called[id_]))
    return bool(new or gone)


def having(session: Session, conversation_id: int) -> set[int]:
    """Return the ids of a conversation's labels."""
    query = sa.select(ConversationLabel.label_id).where(ConversationLabel.conversation_id == conversation_id)
    return set(session.scalars(query))
