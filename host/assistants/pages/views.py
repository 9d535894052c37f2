"""Assistants: the list, their modes on accounts, and stopping one immediately."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from heapq import nlargest
from typing import Any

import msgspec
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.assistants import assistants, figures
from host.assistants.assistants import AccountMode, AssistantError, ModeChange
from host.assistants.knowledge import entries, extraction
from host.assistants.language import language_models
from host.assistants.models import Assistant, EntryState, Mode
from host.assistants.pages import knowledge_views, learning_views
from host.assistants.pages.blueprint import ASSISTANTS, NEEDS, ONE, bp, currency_of, money, url_of
from host.assistants.pages.model_views import PRESETS
from host.assistants.pages.playground import Play, register
from host.assistants.turn_worker import can_offer_topics
from host.assistants.values import Body
from host.assistants.words import HANDOFF
from host.automation import answered_kinds, texts
from host.automation.deciding import GREETED, Sent
from host.channels import abilities
from host.channels.abilities import Abilities
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.models.users import Workspace
from host.users import reach
from host.users.actor import UnitOfWork
from host.users.reach import Choice
from host.web import languages, navigation
from host.web.languages import gettext as _
from host.web.portions import SIZE, Portion, portion
from host.web.request_helpers import (
    body_limit,
    flash_good,
    id_argument,
    seen_accounts,
    workspace_view,
    write,
)

navigation.add_settings(
    "assistants.index",
    _l("Assistants"),
    order=25,
    icon="bot",
    section=navigation.AUTOMATION,
    words="AI, bot, chatbot, knowledge, suggestions, KI, Wissen, Vorschläge",
)
navigation.add_account_tab("assistants.of_account", _l("Assistant"), order=10)

__all__ = ["bp"]


class AccountRow(msgspec.Struct, frozen=True):
    """An account in the table.

    :param place: the mode of any assistant there; None if there is none.
    :param other: name of another assistant that has it; empty if none has.
    :param mode: mode of this assistant there.
    :param takes: kinds of messages it answers, in words; *answers_on*: as names.
    :param choices: kinds of messages it could answer there, with their words.
    :param since: time at which the mode was set.
    """

    id: int
    channel: str
    name: str
    place: AccountMode | None
    other: str
    mode: Mode
    earned: int
    needed: int
    takes: str
    answers_on: frozenset[Sent]
    choices: Mapping[Sent, LazyString]
    asked: int
    since: str

    @property
    def open(self) -> bool:
        """Whether it may answer automatically."""
        unlocked = self.place is not None and bool(self.place.opened_by)
        return unlocked or self.earned >= self.needed or self.mode == Mode.ANSWER


NEWEST = 4
"""Entries of knowledge on the page of an assistant's setup."""
MOST_PLACES = 10
"""Most accounts of an assistant in the list; its own page has all of them."""

# ---- the list ------------------------------------------------------------------------------------------


@bp.get(ASSISTANTS)
@workspace_view(NEEDS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the assistants with their accounts and the number of their turns in seven days."""
    return _list(workspace_id)


def _list(workspace_id: int, problem: LobbyError | None = None) -> ResponseReturnValue:
    accounts, now = seen_accounts(), clock.now()
    with db.read() as session:
        shown = [assistants.seen(one, accounts) for one in assistants.listing(session, workspace_id)]
        asked = figures.asked(session, workspace_id, now - figures.WEEK)
    counts: dict[int, int] = {}
    for (assistant_id, account_id), number in asked.items():
        if accounts is None or account_id in accounts:
            counts[assistant_id] = counts.get(assistant_id, 0) + number
    page = render_template(
        "assistants/assistants.html",
        assistants=shown,
        asked=counts,
        few=MOST_PLACES,
        modes=assistants.MODES,
        most=assistants.MOST,
        longest=assistants.LONGEST_NAME,
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


@bp.post(ASSISTANTS)
@workspace_view(NEEDS)
def add(workspace_id: int) -> ResponseReturnValue:
    """Create an assistant that is on no account yet. The workspace's only model is chosen."""
    try:
        row = write(_create, request.form.get("name", ""))
    except AssistantError as error:
        return _list(workspace_id, error)
    flash_good(_("%(name)s was created. Add knowledge, then try it.", name=row.name))
    return redirect(url_of(workspace_id, row.id), 303)


def _create(work: UnitOfWork, name: str) -> Assistant:
    row = assistants.create(work, name=name)
    models = language_models.listing(work.session, work.workspace_id)
    if len(models) == 1:
        assistants.choose_model(work, row, models[0].row.id)
    return row


# ---- one assistant ------------------------------------------------------------------------------------


@bp.get(ONE)
@workspace_view(NEEDS)
def assistant(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Show the setup of an assistant: its model, knowledge, accounts, handoff and limits."""
    return setup_page(workspace_id, assistant_id, account_id=id_argument("account"))


def setup_page(
    workspace_id: int,
    assistant_id: int,
    play: Play | None = None,
    problem: LobbyError | None = None,
    account_id: int | None = None,
    body: Body | None = None,
) -> ResponseReturnValue:
    """Return the page of an assistant's setup.

    :param play: the conversation in the playground.
    :param problem: why a change failed.
    :param account_id: an account to scroll to; accounts are paginated.
    :param body: what was typed and not saved.
    """
    now = clock.now()
    with db.read() as session:
        its = assistants.get(session, workspace_id, assistant_id)
        held = assistants.body_of(session, its)
        names = {one.id: one.name for one in assistants.listing(session, workspace_id)}
        places = assistants.places(session, workspace_id)
        mine = assistants.at_work(places, assistant_id)
        part, wanted = _connected(session, workspace_id, mine, account_id)
        rows = part.rows
        asked = figures.asked(session, workspace_id, now - figures.WEEK)
        earned = assistants.earned(session, assistant_id, [row.id for row in rows])
        models = [one.row for one in language_models.listing(session, workspace_id)]
        known = entries.listing(session, workspace_id, assistant_id)
        waiting = learning_views.waiting(session, its, now)
        language = session.get_one(Workspace, workspace_id).language
    lines = [
        _line(row, places.get(row.id), its, names, earned.get(row.id, 0), asked.get((its.id, row.id), 0))
        for row in rows
    ]
    page = render_template(
        "assistants/assistant.html",
        assistant=its,
        tab="setup",
        body=body or held or Body(),
        unreadable=held is None,
        models=models,
        topics=any(map(can_offer_topics, current_directory().adapters)),
        hosts={one.id: language_models.host_of(one.address) for one in models},
        presets=PRESETS,
        newest=[
            knowledge_views.entry_row(one, 0, now) for one in nlargest(NEWEST, known, key=lambda one: one.id)
        ],
        known=len(known),
        can_read=extraction.is_available(),
        most_bytes=extraction.MOST_BYTES,
        reading=sum(one.state == EntryState.WAITING for one in known),
        waiting=waiting,
        at_work=mine,
        lines=lines,
        locked=[one for one in lines if one.mode in {Mode.SHADOW, Mode.SUGGEST} and not one.open],
        startable=[one for one in lines if one.mode != Mode.ANSWER and one.open],
        needed=max((one.needed for one in mine.values()), default=assistants.USUALLY_NEEDED),
        fewest=assistants.NEEDED[0],
        most=assistants.NEEDED[-1],
        modes=assistants.MODES,
        part=part,
        wanted=wanted,
        searchable=part.whole > SIZE or bool(wanted),
        longest=assistants.LONGEST_NAME,
        longest_handoff=assistants.LONGEST_HANDOFF,
        handoff_words=texts.in_language(HANDOFF, language),
        money=money,
        currency=currency_of(next((one for one in models if one.id == its.model_id), None)),
        play=play or Play(),
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


register("setup", setup_page)


@bp.post(f"{ONE}/give")
@body_limit(extraction.MOST_BYTES + knowledge_views.FORM_BYTES)
@workspace_view(NEEDS)
def give(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Add files and the page at an address to what an assistant knows, all of them or none."""
    try:
        titles = knowledge_views.add_given(assistant_id)
    except LobbyError as error:
        return setup_page(workspace_id, assistant_id, problem=error)
    flash_good(_("%(titles)s: added to its knowledge.", titles=", ".join(titles)))
    return redirect(url_of(workspace_id, assistant_id, "knowledge"), 303)


def _connected(
    session: Session,
    workspace_id: int,
    mine: Collection[int],
    account_id: int | None,
) -> tuple[Portion[Choice], str]:
    """Return a page of the connected accounts the person may see, the assistant's first.

    :param mine: the accounts where the assistant is at work.
    :param account_id: an account whose page is shown if the address has no page.
    :return: the page, and its search text.
    """
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
    place: AccountMode | None,
    its: Assistant,
    names: Mapping[int, str],
    earned: int,
    asked: int,
) -> AccountRow:
    here = place is not None and place.assistant_id == its.id
    mine = place if here else None
    answers_on = GREETED if mine is None else mine.answers_on
    choices = answered_kinds.offered(_abilities(row.channel), answers_on)
    other = "" if place is None or here or place.mode == Mode.OFF else names.get(place.assistant_id, "")
    return AccountRow(
        id=row.id,
        channel=row.channel,
        name=row.name,
        place=mine,
        other=other,
        mode=Mode.OFF if mine is None else mine.mode,
        earned=earned,
        needed=assistants.USUALLY_NEEDED if mine is None else mine.needed,
        takes=", ".join(str(words) for sent, words in choices.items() if sent in answers_on),
        answers_on=answers_on,
        choices=choices,
        asked=asked,
        since="" if mine is None else _day(mine.changed_at),
    )


def _abilities(channel: str) -> Abilities:
    adapter = current_directory().adapter(channel)
    return abilities.of(() if adapter is None else (adapter,))


def _day(at: datetime) -> str:
    return str(languages.reader().date_text(languages.local(at), "d MMMM"))


@bp.post(f"{ONE}/accounts/<int:account_id>")
@workspace_view(NEEDS)
def set_mode(workspace_id: int, assistant_id: int, account_id: int) -> ResponseReturnValue:
    """Set the mode of an assistant on an account, or with ``typed_name`` only unlock answering there."""
    form = request.form
    if "typed_name" in form:
        return _unlock(workspace_id, assistant_id, account_id)
    needed = form.get("needed", str(assistants.USUALLY_NEEDED))
    values: dict[str, Any] = {
        "mode": form.get("mode", ""),
        "answers_on": _answers_on(),
        "needed": int(needed) if needed.isascii() and needed.isdigit() and len(needed) < 7 else 0,
    }
    try:
        placed = write(assistants.set_mode, assistant_id, account_id, **values)
    except AssistantError as error:
        return setup_page(workspace_id, assistant_id, problem=error, account_id=account_id)
    flash_good(_said(placed))
    return redirect(_url_at(workspace_id, assistant_id, account_id), 303)


def _unlock(workspace_id: int, assistant_id: int, account_id: int) -> ResponseReturnValue:
    try:
        name = write(assistants.unlock, assistant_id, account_id, typed_name=request.form["typed_name"])
    except AssistantError as error:
        return setup_page(workspace_id, assistant_id, problem=error, account_id=account_id)
    flash_good(_("“Answer” is unlocked on %(account)s. It doesn't answer yet.", account=name))
    return redirect(url_of(workspace_id, assistant_id, f"start-{account_id}", account=account_id), 303)


def _answers_on() -> list[Sent]:
    """Return the chosen kinds of messages, with those chosen before that the form did not offer."""
    ticked = request.form.getlist("answers_on")
    kept = request.form.getlist("not_offered") if ticked else []
    return [Sent(one) for one in [*ticked, *kept] if one in set(Sent)]


def _said(placed: ModeChange) -> str:
    words: str = {
        Mode.OFF: _("It's off on %(account)s.", account=placed.account),
        Mode.SHADOW: _(
            "It runs in shadow mode on %(account)s. Its answers aren't shown to anyone in conversations.",
            account=placed.account,
        ),
        Mode.SUGGEST: _("It suggests answers to your team on %(account)s.", account=placed.account),
        Mode.ANSWER: _("It answers automatically on %(account)s.", account=placed.account),
    }[placed.mode]
    if placed.taken_from:
        words += " " + _("%(other)s no longer handles it.", other=placed.taken_from)
    return words


def _url_at(workspace_id: int, assistant_id: int, account_id: int) -> str:
    """Return the address of an account on an assistant's page."""
    return url_of(workspace_id, assistant_id, f"account-{account_id}", account=account_id)


@bp.get(f"{ASSISTANTS}/accounts/<int:account_id>")
@workspace_view(NEEDS)
def of_account(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Redirect from an account to its assistant, to the only one, or to the list."""
    with db.read() as session:
        assistants.account_of(session, workspace_id, account_id)
        place = assistants.places(session, workspace_id).get(account_id)
        known = [one.id for one in assistants.listing(session, workspace_id)]
    its = place.assistant_id if place is not None else known[0] if len(known) == 1 else None
    if its is None:
        return redirect(url_for("assistants.index", workspace_id=workspace_id))
    return redirect(_url_at(workspace_id, its, account_id))


@bp.post(f"{ONE}/name")
@workspace_view(NEEDS)
def rename(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Rename an assistant."""
    try:
        write(assistants.rename, assistant_id, name=request.form.get("name", ""))
    except AssistantError as error:
        return setup_page(workspace_id, assistant_id, problem=error)
    flash_good(_("Saved."))
    return redirect(url_of(workspace_id, assistant_id), 303)


@bp.post(f"{ONE}/stop")
@workspace_view(NEEDS)
def stop(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Stop an assistant immediately: nothing is suggested or sent, and people get its conversations."""
    row = write(assistants.change, assistant_id, stopped=True)
    flash_good(_("%(name)s was stopped. Its conversations go to your team.", name=row.name))
    return redirect(url_of(workspace_id, assistant_id), 303)


@bp.post(f"{ONE}/resume")
@workspace_view(NEEDS)
def resume(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Resume a stopped assistant."""
    row = write(assistants.change, assistant_id, stopped=False)
    flash_good(_("%(name)s was resumed.", name=row.name))
    return redirect(url_of(workspace_id, assistant_id), 303)


@bp.post(f"{ONE}/delete")
@workspace_view(NEEDS)
def delete(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Delete an assistant and its knowledge."""
    try:
        name = write(assistants.delete, assistant_id)
    except AssistantError as error:
        return setup_page(workspace_id, assistant_id, problem=error)
    flash_good(_("Assistant %(name)s was deleted.", name=name))
    return redirect(url_for("assistants.index", workspace_id=workspace_id), 303)
