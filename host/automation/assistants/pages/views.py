"""Assistants: the list, what each does on which account, and stopping one at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation.assistants import figures, keeping
from host.automation.assistants.keeping import AssistantError, Place, Placed
from host.automation.assistants.pages import play_views as _play_views  # noqa: F401 - hangs its views on the same blueprint
from host.automation.assistants.pages import said_views as _said_views  # noqa: F401 - so does this
from host.automation.assistants.pages import writing_views as _writing_views  # noqa: F401 - and this
from host.automation.assistants.pages.blueprint import ASSISTANTS, NEEDS, ONE, bp
from host.automation.assistants.pages.playing import Play, register
from host.automation.deciding import GREETED, Sent
from host.core import clock, db
from host.core.errors import LobbyError
from host.models.assistants import Assistant, Mode
from host.users import reach
from host.users.reach import Choice
from host.web import languages
from host.web.portions import SIZE, Portion, portion
from host.web.request_helpers import (
    audit,
    current_user,
    flash_good,
    id_argument,
    seen_accounts,
    workspace_view,
)

__all__ = ["bp"]

TAKES = {
    Sent.MESSAGE: _l("a message"),
    Sent.STORY_REPLY: _l("a story reply"),
    Sent.TAP: _l("a tap on an ice breaker"),
    Sent.MENTION: _l("only a story mention"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """An account in the table.

    :param place: what an assistant does there; None: there is none.
    :param other: the name of another assistant that has it; empty: none has.
    :param mode: of this assistant there.
    :param takes: what it answers, in words; *answers_on* as names.
    :param since: since when it is in this mode.
    """

    id: int
    channel: str
    name: str
    place: Place | None
    other: str
    mode: Mode
    earned: int
    needed: int
    takes: str
    answers_on: frozenset[Sent]
    asked: int
    since: str

    @property
    def open(self) -> bool:
        """Whether it may answer by itself."""
        return self.earned >= self.needed or self.mode == Mode.ANSWER


MOST_PLACES = 10
"""Most accounts that the list shows of an assistant; its own page has all of them."""

# ---- the list ------------------------------------------------------------------------------------------


@bp.get(ASSISTANTS)
@workspace_view(NEEDS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the assistants, with where they do what, and how often they were asked in seven days."""
    return _list(workspace_id)


def _list(workspace_id: int, problem: LobbyError | None = None) -> ResponseReturnValue:
    accounts, now = seen_accounts(), clock.now()
    with db.read() as session:
        shown = [keeping.seen(one, accounts) for one in keeping.listing(session, workspace_id)]
        asked = figures.asked(session, workspace_id, now - figures.WEEK)
    counts: dict[int, int] = {}
    for (assistant_id, account_id), number in asked.items():
        if accounts is None or account_id in accounts:
            counts[assistant_id] = counts.get(assistant_id, 0) + number
    page = render_template(
        "automation/assistants.html",
        assistants=shown,
        asked=counts,
        few=MOST_PLACES,
        modes=keeping.MODES,
        most=keeping.MOST,
        longest=keeping.LONGEST_NAME,
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


@bp.post(ASSISTANTS)
@workspace_view(NEEDS)
def add(workspace_id: int) -> ResponseReturnValue:
    """Add an assistant that is on no account yet."""

    def use_case(session: Session) -> Assistant:
        name, author = request.form.get("name", ""), current_user().name
        row = keeping.create(session, workspace_id=workspace_id, name=name, author=author, now=clock.now())
        audit(session, "assistant.added", row.name, workspace_id=workspace_id)
        return row

    try:
        row = db.write(use_case)
    except AssistantError as error:
        return _list(workspace_id, error)
    flash_good(_("%(name)s is there. Choose where it suggests, then what it knows.", name=row.name))
    return redirect(url_for("assistants.assistant", workspace_id=workspace_id, assistant_id=row.id), 303)


# ---- one -----------------------------------------------------------------------------------------------


@bp.get(ONE)
@workspace_view(NEEDS)
def assistant(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Show on which accounts an assistant does what."""
    return accounts_page(workspace_id, assistant_id, account_id=id_argument("account"))


def accounts_page(
    workspace_id: int,
    assistant_id: int,
    play: Play | None = None,
    problem: LobbyError | None = None,
    account_id: int | None = None,
) -> ResponseReturnValue:
    """Return the page of accounts: some at a time.

    :param play: what was said in the playground.
    :param problem: why something was not changed.
    :param account_id: the account whose page is shown.
    """
    now = clock.now()
    with db.read() as session:
        its = keeping.get(session, workspace_id, assistant_id)
        names = {one.id: one.name for one in keeping.listing(session, workspace_id)}
        places = keeping.places(session, workspace_id)
        part, wanted = _connected(session, workspace_id, places, assistant_id, account_id)
        rows = part.rows
        asked = figures.asked(session, workspace_id, now - figures.WEEK)
        earned = keeping.earned(session, assistant_id, [row.id for row in rows])
    lines = [
        _line(row, places.get(row.id), its, names, earned.get(row.id, 0), asked.get((its.id, row.id), 0))
        for row in rows
    ]
    page = render_template(
        "automation/assistant.html",
        assistant=its,
        tab="accounts",
        lines=lines,
        locked=[one for one in lines if one.mode in {Mode.SHADOW, Mode.SUGGEST} and not one.open],
        needed=max(
            (one.needed for one in places.values() if one.assistant_id == its.id),
            default=keeping.USUALLY_NEEDED,
        ),
        fewest=keeping.NEEDED[0],
        most=keeping.NEEDED[-1],
        modes=keeping.MODES,
        takes=TAKES,
        part=part,
        wanted=wanted,
        searchable=part.whole > SIZE or bool(wanted),
        longest=keeping.LONGEST_NAME,
        play=play or Play(),
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


register("accounts", accounts_page)


def _connected(
    session: Session,
    workspace_id: int,
    places: Mapping[int, Place],
    assistant_id: int,
    account_id: int | None,
) -> tuple[Portion[Choice], str]:
    """Return a page of the connected accounts that whoever looks may see, those of the assistant first.

    :param account_id: one whose page is shown if the address names none.
    :return: the page, and the words it is narrowed to.
    """
    mine = {id_ for id_, one in places.items() if one.assistant_id == assistant_id and one.mode != Mode.OFF}
    wanted = request.args.get("q", "").strip()
    seen = seen_accounts()
    found = [
        one
        for one in reach.choices(session, workspace_id)
        if one.connected and (seen is None or one.id in seen) and one.matches(wanted)
    ]
    found.sort(key=lambda one: (one.id not in mine, one.id))
    at = next((at for at, one in enumerate(found) if one.id == account_id), None)
    return portion(found, containing=at), wanted


def _line(
    row: Choice,
    place: Place | None,
    its: Assistant,
    names: Mapping[int, str],
    earned: int,
    asked: int,
) -> Line:
    here = place is not None and place.assistant_id == its.id
    mine = place if here else None
    answers_on = GREETED if mine is None else mine.answers_on
    other = "" if place is None or here or place.mode == Mode.OFF else names.get(place.assistant_id, "")
    return Line(
        id=row.id,
        channel=row.channel,
        name=row.name,
        place=mine,
        other=other,
        mode=Mode.OFF if mine is None else mine.mode,
        earned=earned,
        needed=keeping.USUALLY_NEEDED if mine is None else mine.needed,
        takes=", ".join(str(words) for sent, words in TAKES.items() if sent in answers_on),
        answers_on=answers_on,
        asked=asked,
        since="" if mine is None else _day(mine.changed_at),
    )


def _day(at: datetime) -> str:
    return str(languages.reader().date_text(languages.local(at), "d MMMM"))


@bp.post(f"{ONE}/accounts/<int:account_id>")
@workspace_view(NEEDS)
def set_mode(workspace_id: int, assistant_id: int, account_id: int) -> ResponseReturnValue:
    """Choose what an assistant does on an account."""
    form = request.form
    wanted = form.get("mode", "")
    needed = form.get("needed", str(keeping.USUALLY_NEEDED))
    values: dict[str, Any] = {
        "workspace_id": workspace_id,
        "assistant_id": assistant_id,
        "account_id": account_id,
        "mode": Mode(wanted) if wanted in set(Mode) else None,
        "answers_on": [Sent(one) for one in form.getlist("answers_on") if one in set(Sent)],
        "needed": int(needed) if needed.isascii() and needed.isdigit() and len(needed) < 7 else 0,
        "typed_name": form.get("typed_name"),
    }
    try:
        placed = db.write(_set_mode, values)
    except AssistantError as error:
        return accounts_page(workspace_id, assistant_id, problem=error, account_id=account_id)
    flash_good(_said(placed))
    return redirect(_url_at(workspace_id, assistant_id, account_id), 303)


def _set_mode(session: Session, values: dict[str, Any]) -> Placed:
    row = keeping.get(session, values["workspace_id"], values["assistant_id"])
    keeping.account_of(session, row.workspace_id, values["account_id"])
    if values["mode"] is None:
        raise AssistantError(_l("An assistant has no such mode."), field="mode")
    placed = keeping.set_mode(
        session, **values, by=current_user().name, author_id=current_user().id, now=clock.now()
    )
    if placed.changed:
        details = {"account": placed.account, "mode": placed.mode, "needed": values["needed"]}
        if placed.taken_from:
            details["taken_from"] = placed.taken_from
        action = "assistant.opened" if placed.opened else "assistant.mode"
        audit(session, action, row.name, workspace_id=row.workspace_id, details=details)
    return placed


def _said(placed: Placed) -> str:
    words: str = {
        Mode.OFF: _("It does nothing on %(account)s.", account=placed.account),
        Mode.SHADOW: _("It thinks in shadow on %(account)s: nobody sees it.", account=placed.account),
        Mode.SUGGEST: _("It suggests answers to people on %(account)s.", account=placed.account),
        Mode.ANSWER: _("It answers by itself on %(account)s.", account=placed.account),
    }[placed.mode]
    if placed.taken_from:
        words += " " + _("%(other)s does not look after it any more.", other=placed.taken_from)
    return words


def _url(workspace_id: int, assistant_id: int) -> str:
    return url_for("assistants.assistant", workspace_id=workspace_id, assistant_id=assistant_id)


def _url_at(workspace_id: int, assistant_id: int, account_id: int) -> str:
    """Return where an assistant's page shows an account."""
    return url_for(
        "assistants.assistant",
        workspace_id=workspace_id,
        assistant_id=assistant_id,
        account=account_id,
        _anchor=f"account-{account_id}",
    )


@bp.get(f"{ASSISTANTS}/accounts/<int:account_id>")
@workspace_view(NEEDS)
def of_account(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Lead from an account to the assistant that looks after it, or to the list."""
    with db.read() as session:
        keeping.account_of(session, workspace_id, account_id)
        place = keeping.places(session, workspace_id).get(account_id)
    if place is None:
        return redirect(url_for("assistants.index", workspace_id=workspace_id))
    return redirect(_url_at(workspace_id, place.assistant_id, account_id))


@bp.post(f"{ONE}/name")
@workspace_view(NEEDS)
def rename(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Give an assistant another name."""

    def use_case(session: Session) -> Assistant:
        before = keeping.get(session, workspace_id, assistant_id).name
        named = {"workspace_id": workspace_id, "assistant_id": assistant_id}
        row = keeping.rename(session, **named, name=request.form.get("name", ""))
        if row.name != before:
            audit(
                session,
                "assistant.renamed",
                row.name,
                workspace_id=workspace_id,
                details={"before": before},
            )
        return row

    try:
        db.write(use_case)
    except AssistantError as error:
        return accounts_page(workspace_id, assistant_id, problem=error)
    flash_good(_("Saved."))
    return redirect(_url(workspace_id, assistant_id), 303)


@bp.post(f"{ONE}/stop")
@workspace_view(NEEDS)
def stop(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Stop an assistant at once: nothing more is suggested or sent, and people get its conversations."""

    def use_case(session: Session) -> Assistant:
        row = keeping.get(session, workspace_id, assistant_id, lock=True)
        before = row.stopped_at
        handed = keeping.stop(session, row, clock.now(), current_user().id)
        if before is None:
            details = {"conversations": handed}
            audit(session, "assistant.stopped", row.name, workspace_id=workspace_id, details=details)
        return row

    flash_good(_("%(name)s is stopped. Its conversations go to people.", name=db.write(use_case).name))
    return redirect(_url(workspace_id, assistant_id), 303)


@bp.post(f"{ONE}/resume")
@workspace_view(NEEDS)
def resume(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Let a stopped assistant go on."""

    def use_case(session: Session) -> Assistant:
        row = keeping.get(session, workspace_id, assistant_id, lock=True)
        if keeping.resume(session, row, current_user().id):
            audit(session, "assistant.resumed", row.name, workspace_id=workspace_id)
        return row

    flash_good(_("%(name)s goes on.", name=db.write(use_case).name))
    return redirect(_url(workspace_id, assistant_id), 303)


@bp.post(f"{ONE}/delete")
@workspace_view(NEEDS)
def delete(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Delete an assistant with all it knows."""

    def use_case(session: Session) -> str:
        named = {"workspace_id": workspace_id, "assistant_id": assistant_id}
        name = keeping.delete(session, **named, now=clock.now(), author_id=current_user().id)
        audit(session, "assistant.deleted", name, workspace_id=workspace_id)
        return name

    try:
        name = db.write(use_case)
    except AssistantError as error:
        return accounts_page(workspace_id, assistant_id, problem=error)
    flash_good(_("The assistant %(name)s is gone.", name=name))
    return redirect(url_for("assistants.index", workspace_id=workspace_id), 303)
