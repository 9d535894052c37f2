"""Settings -> Sequences -> Versions: move the customers of an earlier version to the live one."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import LobbyError
from host.sequences import moves, runner, sequences
from host.sequences.models import SequenceState
from host.sequences.pages import wording
from host.sequences.pages.blueprint import ONE, bp, head, open_sequence, seen
from host.web.request_helpers import Permission, flash_good, workspace_view, write


@bp.get(f"{ONE}/versions/<int:version_id>/people")
@workspace_view(Permission.ACCOUNTS)
def people_of_version(workspace_id: int, sequence_id: int, version_id: int) -> ResponseReturnValue:
    """Show where the customers of an earlier version are, with a step of the live version to move each to."""
    return _people_page(workspace_id, sequence_id, version_id)


def _people_page(
    workspace_id: int, sequence_id: int, version_id: int, problem: LobbyError | None = None
) -> ResponseReturnValue:
    opened = open_sequence(workspace_id, sequence_id, version_id)
    with db.read() as session:
        counts = moves.waiting(session, sequence_id, version_id)
        live = opened.sequence.live_version
        there = seen(sequences.there(session, workspace_id, current_directory()))
        new = None if live is None else runner.body_of(session, sequence_id, live)
    old = opened.known
    rows, choices = [], []
    if new is not None:
        rows = [
            (one.id, wording.step(one, old, there), counts[one.id], moves.can_keep(old, new, one.id))
            for one in old.steps
            if one.id in counts
        ]
        numbers = wording.numbers(new)
        choices = [(one.id, f"{numbers[one.id]} · {wording.step(one, new, there)}") for one in new.steps]
    is_live = opened.sequence.state == SequenceState.LIVE and live != version_id
    page = render_template(
        "sequences/moving.html",
        here="versions",
        **head(opened),
        rows=rows,
        from_=version_id,
        keep=moves.KEEP,
        live=live if is_live else None,
        choices=choices,
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


@bp.post(f"{ONE}/versions/<int:version_id>/people")
@workspace_view(Permission.ACCOUNTS)
def move_people(workspace_id: int, sequence_id: int, version_id: int) -> ResponseReturnValue:
    """Move the customers of an earlier version to the live one."""
    open_sequence(workspace_id, sequence_id, version_id)
    steps = {key.removeprefix("to:"): to for key, to in request.form.items() if key.startswith("to:") and to}
    try:
        moved = write(moves.move, sequence_id, version_id, steps=steps)
    except LobbyError as error:
        return _people_page(workspace_id, sequence_id, version_id, error)
    flash_good(wording.ngettext("%(num)s customer was moved.", "%(num)s customers were moved.", moved))
    return redirect(url_for("sequences.versions", workspace_id=workspace_id, sequence_id=sequence_id))
