"""The blueprint of the pages of sequences, their addresses, and the frame they share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from flask import Blueprint, request
from flask_babel import lazy_gettext as _l

from host.channels.directory import current_directory
from host.core import clock, db
from host.sdk.text import TextLimit
from host.sequences import body as bodies
from host.sequences import sequences
from host.sequences.body import Body, SequenceError, Targets
from host.sequences.models import Sequence, SequenceState, SequenceVersion
from host.sequences.pages import wording
from host.sequences.proofs import Proof
from host.web import navigation
from host.web.languages import gettext as _
from host.web.request_helpers import seen_accounts, write

bp = Blueprint("sequences", __name__, template_folder="../templates")
navigation.add_settings(
    "sequences.index",
    _l("Sequences"),
    order=24,
    section=navigation.AUTOMATION,
    icon="split",
    words="flow, bot, steps, question, choice, branch, wait, journey, drip, "
    "Abläufe, Schritte, Frage, Auswahl, Verzweigung, warten",
)

SEQUENCES = "/w/<int:workspace_id>/sequences"
ONE = f"{SEQUENCES}/<int:sequence_id>"


class Opened(msgspec.Struct, frozen=True):
    """The data for the pages of a sequence.

    :param there: all that sequences may refer to.
    :param number: the version that is shown; *stands*: its row.
    :param body: None: a newer Lobby wrote it.
    :param text_limit: limit of a message on the channels it runs on; None: no limit.
    """

    sequence: Sequence
    stands: SequenceVersion
    body: Body | None
    there: Targets
    proof: Proof | None
    text_limit: TextLimit | None
    inside: int
    versions: int

    @property
    def is_draft(self) -> bool:
        """Whether the newest version is shown, which can be changed."""
        return self.stands.number == self.sequence.version

    @property
    def known(self) -> Body:
        """The body.

        :raises SequenceError: if a newer Lobby wrote it.
        """
        if self.body is None:
            sentence = _("This sequence was created by a newer version of Lobby and can't run here.")
            raise SequenceError(sentence)
        return self.body


def open_sequence(workspace_id: int, sequence_id: int, number: int | None = None) -> Opened:
    """Return a sequence with one of its versions, the newest by default.

    :raises SequenceNotFoundError: if there is no such sequence or version.
    """
    with db.read() as session:
        sequence = sequences.get(session, workspace_id, sequence_id)
        stands = sequences.version(session, sequence_id, number or sequence.version)
        body = bodies.read(stands.body)
        there = sequences.there(session, workspace_id, current_directory())
        proof = limit = None
        if body is not None:
            place = (session, workspace_id, body, current_directory())
            proof = sequences.proof(*place, clock.now(), sequence_id, there)
            limit = sequences.text_limit(*place)
        opened = Opened(
            sequence,
            stands,
            body,
            there,
            proof,
            limit,
            sequences.in_it(session, [sequence_id]).get(sequence_id, 0),
            sequence.version,  # numbered from 1, and none is ever deleted
        )
        session.expunge_all()
    return opened


def head(opened: Opened) -> dict[str, Any]:
    """Return what stands above each of the pages of a sequence."""
    one = opened.sequence
    return {
        "shown": one,
        "states": wording.STATES,
        "stands": opened.stands,
        "is_draft": opened.is_draft,
        "inside": opened.inside,
        "versions": opened.versions,
        "says": wording.version(one.state, one.version, one.live_version, opened.inside),
        "may_publish": one.state != SequenceState.LIVE or one.live_version != one.version,
    }


def seen(there: Targets) -> Targets:
    """Return the targets with the accounts that the viewer may see."""
    accounts = seen_accounts()
    if accounts is None:
        return there
    mine = {id_: name for id_, name in there.accounts.items() if id_ in accounts}
    return msgspec.structs.replace(there, accounts=mine)


def change_sequence(sequence_id: int, name: str, body: Body) -> None:
    """Save a sequence as given, unless it was saved since the form was made."""
    values: dict[str, Any] = {"name": name, "body": body, "directory": current_directory()}
    write(sequences.change, sequence_id, seen_at=_given_at(), **values)


def _given_at() -> datetime | None:
    """Return when the version was saved that the form is based on.

    :raises SequenceError: if the form says it wrongly.
    """
    given = request.form.get("seen_at", "")
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise SequenceError(_("The form is incomplete, so nothing was saved."), field="seen_at") from None
    if found.tzinfo is None:
        raise SequenceError(_("The form is incomplete, so nothing was saved."), field="seen_at")
    return found
