"""Settings -> Sequences: the list, the steps of each with what was proved, and its versions.

One step is saved at a time, into the draft. A form names the save it is based on, so that two tabs cannot
overwrite each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.automation import condition_forms
from host.automation.action_forms import row_of
from host.automation.actions import (
    AddLabel,
    AddNote,
    AddonDoes,
    AssignNobody,
    AssignTo,
    GiveToTeam,
    RemoveLabel,
    RunMacro,
    SendReply,
)
from host.automation.condition_words import search_words
from host.channels import abilities
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.models.users import Workspace
from host.sdk.text import length
from host.sequences import body as bodies
from host.sequences import listing, sequences
from host.sequences import moves as run_moves
from host.sequences.body import Body, SequenceError, Targets, known_variables
from host.sequences.models import Sequence, SequenceVersion
from host.sequences.pages import filling, picture, trying, wording
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
from host.sequences.pages.filling import StepForm
from host.sequences.pages.trying import Tried
from host.sequences.sequences import SequenceSavedMeanwhileError
from host.sequences.template_bodies import TEMPLATES, body_of, offered
from host.users.actor import UnitOfWork
from host.users.pages import sudo
from host.web import account_picker
from host.web.account_picker import Options
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import (
    Permission,
    current_user,
    flash_good,
    id_argument,
    seen_accounts,
    workspace_view,
    write,
)

STARTS = "starts"
"""The part of the page that is opened to edit starts and settings, where others name a step."""


# ---- the list ------------------------------------------------------------------------------------------


class Line(msgspec.Struct, frozen=True):
    """A sequence in the list.

    :param number: its place in the order, from 1.
    :param starts: what starts it, in words; empty: a newer Lobby wrote it.
    :param refused: what of it can't run now, and why: the step in words, empty for a setting, and the reason.
    """

    id: int
    name: str
    state: str
    number: int
    starts: str
    version: str
    refused: tuple[tuple[str, str], ...] = ()


@bp.get(SEQUENCES)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the sequences in order, with what starts each and who is in it."""
    with db.read() as session:
        found = sequences.listing(session, workspace_id)
        inside = sequences.in_it(session, [one.id for one in found])
        able = abilities.load(session, workspace_id, current_directory().adapters)
        stands = listing.versions_of_all(session, workspace_id, live=True)
        there = sequences.there(session, workspace_id, current_directory())
        lines = [
            _line(one, stands[one.id], number, inside.get(one.id, 0), there)
            for number, one in enumerate(found, 1)
        ]
    return render_template(
        "sequences/sequences.html",
        part=portion(lines),
        states=wording.STATES,
        templates=offered(able),
        most=sequences.MOST,
    )


def _line(one: Sequence, stands: SequenceVersion, number: int, inside: int, there: Targets) -> Line:
    body = bodies.read(stands.body)
    return Line(
        one.id,
        one.name,
        one.state,
        number,
        "" if body is None else wording.starts(body.starts),
        wording.version(one.state, one.version, one.live_version, inside),
        () if body is None else _refused(body, there),
    )


def _refused(body: Body, there: Targets) -> tuple[tuple[str, str], ...]:
    """Return the steps that would be refused if they were saved now, in words, each with the reason."""
    said, found = seen(there), []
    for error in bodies.refusals(body, there):
        part, *rest = (error.field or "").split(".")
        is_step = part == "steps" and bool(rest)
        step = wording.step(body.steps[int(rest[0])], body, said) if is_step else ""
        found.append((step, str(error.sentence)))
    return tuple(found)


@bp.post(f"{SEQUENCES}/new")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int) -> ResponseReturnValue:
    """Add a draft from a template."""
    key = request.form.get("from", "")
    if key not in TEMPLATES:
        raise SequenceError(_("Choose a template from the list."), field="from")
    id_ = write(_add, key, str(TEMPLATES[key].title))
    return redirect(url_for("sequences.sequence", workspace_id=workspace_id, sequence_id=id_), 303)


def _add(work: UnitOfWork, key: str, name: str) -> int:
    language = work.session.get_one(Workspace, work.workspace_id).language
    return sequences.create(work, name=name, body=body_of(key, language), directory=current_directory()).id


@bp.post(f"{ONE}/move")
@workspace_view(Permission.ACCOUNTS)
def move(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Move a sequence up or down."""
    step = -1 if request.form.get("to") == "up" else 1
    write(sequences.move, sequence_id, step)
    away = url_for("sequences.index", workspace_id=workspace_id, _anchor=f"sequence-{sequence_id}")
    return redirect(away, 303)


# ---- one sequence --------------------------------------------------------------------------------------


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
def sequence(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Show the steps of a sequence and what was proved.

    With ``step``, that step is open to be changed; with ``add``, a form for a new step of that kind, after
    the step ``after``; with ``part=starts``, the starts and settings. With ``version``, an earlier version
    is shown, which cannot be changed. With ``try``, it can be tried beside its steps: each ``move`` is one of
    :mod:`host.sequences.playing`, and ``said`` or ``kept`` the text of another one.
    """
    opened = open_sequence(workspace_id, sequence_id, id_argument("version"))
    if opened.body is not None and "try" in request.args:
        return _page(workspace_id, opened, tried=_tried(workspace_id, opened, opened.body))
    if opened.body is None or not opened.is_draft:
        return _page(workspace_id, opened)
    if request.args.get("part") == STARTS:
        return _page(workspace_id, opened, part=STARTS)
    kind = request.args.get("add", "")
    if kind in wording.KINDS:
        return _page(workspace_id, opened, form=StepForm(kind), after=request.args.get("after", ""))
    chosen = opened.body.step(request.args.get("step", ""))
    return _page(workspace_id, opened, form=None if chosen is None else filling.of_step(chosen))


def _tried(workspace_id: int, opened: Opened, body: Body) -> Tried:
    asked = request.args
    answer = asked.getlist("kept") if "answered" in asked else None
    moves = trying.moves_of(asked.getlist("move"), asked.get("said", ""), answer)
    with db.read() as session:
        return trying.tried(
            session,
            workspace_id,
            body,
            seen(opened.there),
            moves,
            name=current_user().name,
            now=clock.now(),
        )


def _page(
    workspace_id: int,
    opened: Opened,
    *,
    tried: Tried | None = None,
    form: StepForm | None = None,
    after: str = "",
    part: str = "",
    posted: Body | None = None,
    name: str | None = None,
    problem: LobbyError | None = None,
    secret: str = "",
) -> ResponseReturnValue:
    """Show a sequence, with a step or its settings open.

    :param tried: a try of it, beside the steps.
    :param form: the step that is open; without an id, a new one, after the step *after*.
    :param posted: the settings as submitted, which were not saved.
    :param problem: why something was not saved.
    :param secret: a new signing secret, shown this once.
    """
    body, there, proof = opened.body, seen(opened.there), opened.proof
    context: dict[str, Any] = {}
    if body is not None:
        numbers = wording.numbers(body)
        words = {one.id: wording.step(one, body, there) for one in body.steps}
        context = {
            "numbers": numbers,
            "picture": picture.draw(body, proof),
            "titles": words,
            "box_width": picture.WIDTH,
            "box_height": picture.HEIGHT,
            "starts": wording.starts(body.starts),
            "steps": [
                (
                    one,
                    wording.KINDS[wording.kind_of(one)],
                    words[one.id],
                    wording.details(one, body, there),
                )
                for one in body.steps
            ],
            "choices": [(id_, f"{numbers[id_]} · {said}") for id_, said in words.items()],
            "actions": _actions(there, form),
            "variables": {key: str(said) for key, said in known_variables(body.variables).items()},
            "answers": body.variables,
            "conditions": _conditions(there, form),
            "search_words": json.dumps(search_words(there)),
            "last": body.steps[-1].id,
            "calls": any(isinstance(one, bodies.Call) for one in body.steps),
            "settings": posted or body,
            "tap_words": wording.tappable(there.abilities),
        }
    page = render_template(
        "sequences/sequence.html",
        here="steps",
        **head(opened),
        body=body,
        tried=tried,
        form=form,
        rows=() if form is None else filling.rows_of(form),
        cards=() if form is None else filling.cards_of(form),
        after=after,
        part=part,
        name=opened.sequence.name if name is None else name,
        problem=problem,
        secret=secret,
        place=_place(problem, opened, form),
        marks=() if proof is None else {one.step for one in proof.problems},
        problems=() if proof is None else proof.problems,
        checks=[] if proof is None else wording.checks(proof),
        kinds=wording.KINDS,
        answer_kinds=wording.ANSWERS,
        until=wording.UNTIL,
        units=wording.UNITS,
        there=there,
        most_steps=bodies.MOST_STEPS,
        card_fields=wording.CARD_FIELDS,
        seen_at=_seen_at(opened, problem),
        text_limit=opened.text_limit,
        length_of=lambda text: length(text, opened.text_limit.unit) if opened.text_limit else 0,
        **context,
    )
    return page, 200 if problem is None else problem.status


def _actions(there: Targets, form: StepForm | None, wanted: str | None = None) -> Options:
    """Return the choices for an action.

    :param wanted: what a script looks for.
    """
    names = there.targets
    set_ = [(f"attribute:{id_}", _("Set %(name)s", name=name), "") for id_, name in there.attributes.items()]
    every: list[tuple[str, list[Any]]] = [
        (_("Add a label"), [AddLabel(id_) for id_ in names.labels]),
        (_("Remove label"), [RemoveLabel(id_) for id_ in names.labels]),
        (_("Assign"), [AssignNobody(), *(AssignTo(id_) for id_ in names.people)]),
        (_("Team"), [GiveToTeam(id_) for id_ in names.teams]),
        (_("Other"), [AddNote("")]),
        (_("Send a canned reply"), [SendReply(id_) for id_ in names.replies]),
        (_("Run a macro"), [RunMacro(id_) for id_ in there.macros]),
        (_("Addons"), [AddonDoes(name) for name in there.actions]),
    ]
    groups = [
        (name, [(row_of(one)[0], wording.action(one, there), "") for one in some]) for name, some in every
    ]
    groups.insert(2, (_("Set an attribute"), set_))
    return account_picker.options("action", groups, () if form is None else {form.action}, wanted)


def _place(problem: LobbyError | None, opened: Opened, form: StepForm | None) -> str:
    """Return the field of the open form at which an error is shown; empty: above the steps."""
    field = "" if problem is None else problem.field or ""
    if field.startswith("cases."):
        return field
    if not field.startswith("steps.") or form is None:
        return field.removeprefix("starts.").partition(".")[0]
    _steps, _at, rest = (*field.split(".", 2), "")[:3]
    if rest.startswith("cards."):
        return rest
    name = {"quick_replies": "choices", "hours": "wait"}.get(rest.partition(".")[0], rest.partition(".")[0])
    if name == "cases":
        _cases, *at = rest.split(".")
        numbers = [int(one) for one in at if one.isdigit()]
        if not numbers:
            return name
        return f"cases.{filling.row_at(form, numbers[0], numbers[1] if numbers[1:] else None)}"
    return {"action.text": "text", "action.value": "value"}.get(rest, name)


def _conditions(there: Targets, form: StepForm | None, wanted: str | None = None) -> Options:
    """Return the choices for the rows of a branch.

    :param wanted: what a script looks for.
    """
    rows = () if form is None else form.cases
    kept = [condition_forms.Row(row.chosen) for row in rows]
    groups = condition_forms.condition_choices(there, kept, in_steps=True)
    return account_picker.options("case_if", groups, {row.chosen for row in rows}, wanted)


@bp.get(f"{SEQUENCES}/choices")
@workspace_view(Permission.ACCOUNTS)
def choices(workspace_id: int) -> Response:
    """Return the choices for conditions and actions that match ``q``, for the form's script."""
    with db.read() as session:
        there = seen(sequences.there(session, workspace_id, current_directory()))
    wanted = account_picker.searched()
    return account_picker.found_options(_conditions(there, None, wanted) + _actions(there, None, wanted))


def _seen_at(opened: Opened, problem: LobbyError | None) -> str:
    """Return when the version that a form is based on was saved. What was not saved keeps what it named."""
    if problem is not None and not isinstance(problem, SequenceSavedMeanwhileError):
        return request.form.get("seen_at") or opened.stands.at.isoformat()
    return opened.stands.at.isoformat()


def _save(opened: Opened, body: Body, name: str | None = None) -> None:
    name = opened.sequence.name if name is None else name
    change_sequence(opened.sequence.id, name, body)


def _back(workspace_id: int, sequence_id: int, **where: Any) -> ResponseReturnValue:
    away = url_for("sequences.sequence", workspace_id=workspace_id, sequence_id=sequence_id, **where)
    return redirect(away, 303)


@bp.post(ONE)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Save the name, the starts and the settings into the draft."""
    opened, posted = open_sequence(workspace_id, sequence_id), None
    name = request.form.get("name", "")
    try:
        mine, every = list(seen(opened.there).accounts), seen_accounts() is None
        posted = filling.settings_of(request.form, opened.known, mine, every)
        _save(opened, posted, name)
    except LobbyError as error:
        return _page(workspace_id, opened, part=STARTS, posted=posted, name=name, problem=error)
    flash_good(_("The draft was saved."))
    return _back(workspace_id, sequence_id)


@bp.post(f"{ONE}/step")
@workspace_view(Permission.ACCOUNTS)
def save_step(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Save a step into the draft: a changed or a new one, or move or delete it with ``move``."""
    opened = open_sequence(workspace_id, sequence_id)
    move_, after = request.form.get("move", ""), request.form.get("after", "")
    form: StepForm | None = filling.given_step(request.form)
    assert form is not None
    id_ = form.id
    if account_picker.is_looking():
        return _page(workspace_id, opened, form=form if form.do in wording.KINDS else None, after=after)
    try:
        body = opened.known
        if move_ in _MOVES:
            form = None if body.step(id_) is None else filling.of_step(body.step(id_))  # type: ignore[arg-type]
            changed = _MOVES[move_](body, id_)
        else:
            step = filling.step_of(msgspec.structs.replace(form, id=id_ or filling.free_id(body)))
            changed, id_ = filling.placed(body, step, after), step.id
        _save(opened, changed)
    except LobbyError as error:
        known = form is not None and form.do in wording.KINDS
        return _page(workspace_id, opened, form=form if known else None, after=after, problem=error)
    if move_ == "delete":
        flash_good(_("The step was deleted."))
        return _back(workspace_id, sequence_id)
    if move_ in _MOVES:
        return _back(workspace_id, sequence_id, step=id_, _anchor=f"step-{id_}")
    flash_good(_("The draft was saved."))
    return _back(workspace_id, sequence_id, _anchor=f"step-{id_}")


_MOVES: dict[str, Callable[[Body, str], Body]] = {
    "up": lambda body, id_: filling.moved(body, id_, -1),
    "down": lambda body, id_: filling.moved(body, id_, 1),
    "delete": filling.without,
}


@bp.post(f"{ONE}/secret")
@workspace_view(Permission.KEYS)
@sudo.fresh_password
def replace_secret(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Create a new signing secret; it is shown once, on the resulting page."""
    secret = write(sequences.replace_secret, sequence_id)
    return _page(workspace_id, open_sequence(workspace_id, sequence_id), secret=secret.reveal())


@bp.post(f"{ONE}/publish")
@workspace_view(Permission.ACCOUNTS)
def publish(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Publish the newest version, or show what could go wrong."""
    try:
        done = write(sequences.publish, sequence_id, current_directory()).version
    except sequences.NotPublishableError as error:
        return _page(workspace_id, open_sequence(workspace_id, sequence_id), problem=error)
    flash_good(_("Version %(number)s is live.", number=done))
    return _back(workspace_id, sequence_id)


@bp.post(f"{ONE}/off")
@workspace_view(Permission.ACCOUNTS)
def turn_off(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Turn a sequence off, so that no customer enters it; with ``end``, also end the runs under way."""
    write(sequences.turn_off, sequence_id, end_runs="end" in request.form)
    flash_good(_("The sequence is off."))
    return _back(workspace_id, sequence_id)


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Delete a sequence nobody is in."""
    try:
        name = write(sequences.delete, sequence_id)
    except SequenceError as error:
        return _page(workspace_id, open_sequence(workspace_id, sequence_id), problem=error)
    flash_good(_("Sequence %(name)s was deleted.", name=name))
    return redirect(url_for("sequences.index", workspace_id=workspace_id), 303)


# ---- versions ------------------------------------------------------------------------------------------


@bp.get(f"{ONE}/versions")
@workspace_view(Permission.ACCOUNTS)
def versions(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """List the versions of a sequence, newest first."""
    opened = open_sequence(workspace_id, sequence_id)
    with db.read() as session:
        part = portion(sequences.versions(session, sequence_id))
        people = run_moves.by_version(session, sequence_id)
        session.expunge_all()
    return render_template(
        "sequences/versions.html",
        here="versions",
        **head(opened),
        part=part,
        people=people,
        seen_at=opened.stands.at.isoformat(),
    )


@bp.post(f"{ONE}/versions/<int:version_id>/restore")
@workspace_view(Permission.ACCOUNTS)
def restore(workspace_id: int, sequence_id: int, version_id: int) -> ResponseReturnValue:
    """Make an earlier version the draft, in place of the one there is."""
    opened = open_sequence(workspace_id, sequence_id, version_id)
    try:
        _save(opened, opened.known)
    except LobbyError as error:
        return _page(workspace_id, open_sequence(workspace_id, sequence_id), problem=error)
    flash_good(_("Version %(number)s is the draft now.", number=version_id))
    return _back(workspace_id, sequence_id)
