"""The search page: one field over everything, filters as links that change it, and the way to a message.

What is typed is all there is: a link of a filter leads to the same page with another text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Any

import msgspec
import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock
from host.core.db import db
from host.core.errors import InvalidError
from host.inbox import queries
from host.inbox.errors import MessageNotFoundError
from host.inbox.list_positions import later_than, position_text
from host.inbox.pages import durations
from host.inbox.pages.arguments import numbers_from_request
from host.inbox.pages.conversation_view import handle_of, name_of
from host.inbox.queries import ConversationFilter, Row
from host.inbox.teams import teams
from host.live.events import newest_id
from host.models.inbox import ConversationStatus, Direction, InternalKind, Message
from host.search import building
from host.search.backlog import Backlog, backlog
from host.search.finding import finder
from host.search.finding.excerpts import ExcerptPart, excerpt
from host.search.finding.filters import ResolvedQuery, understood, words_of
from host.search.finding.finder import Fact, FoundMessages, Hit, SearchPosition
from host.search.finding.query import FILTERS, MOST_LETTERS, Query, Typed, read_day, read_query
from host.users import reach
from host.users.roles import Permission
from host.web import navigation
from host.web.languages import gettext as _
from host.web.languages import number as number_text
from host.web.languages import reader
from host.web.request_helpers import current_user, seen_accounts, workspace_view

navigation.add_main(
    "search.index", _l("Search"), order=15, icon="search", section="/search", phone=navigation.Phone.ONLY
)

bp = Blueprint("search", __name__)


class TooMuchAskedError(InvalidError):
    """A search longer than allowed."""

    code = "search_too_long"
    title = _l("Too long")
    default_sentence = _l("A search can have up to 1,000 characters.")
    default_next_step = _l("Search for fewer words.")


BEHIND = 15
"""Messages shown after the one that was found."""
PAGE_TYPING = 20
"""Results shown while somebody types."""


class HitView(msgspec.Struct, frozen=True):
    """A found message.

    :param who: its author; *beside*: the recipient, or the conversation.
    :param mark: its kind: ``message``, ``note`` or ``file``.
    :param place: its number among the conversation's hits on this page, from 1; *places*: their total.
    """

    hit: Hit
    row: Row
    who: str
    beside: str
    mark: str
    time: str
    pieces: Sequence[ExcerptPart]
    place: int = 1
    places: int = 1


class Choice(msgspec.Struct, frozen=True):
    """A filter to click on.

    :param text: the query with it, or without it if it is *chosen*.
    :param count: number of results with it; empty if not counted.
    """

    label: str
    icon: str
    chosen: bool
    text: str
    count: str


class Token(msgspec.Struct, frozen=True):
    """A filter in the search field.

    :param value: as people read it: a day without leading zeros.
    :param without: the query without it.
    :param is_wrong: whether nothing matches because of it.
    """

    typed: Typed
    value: str
    without: str
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class QuerySuggestion:
    """A suggestion for a search without results: in words, as a query, and its number of results.

    The number is empty if time ran out before one was found.
    """

    label: str
    icon: str
    text: str
    count: str


@bp.get("/w/<int:workspace_id>/search")
@workspace_view(Permission.READ)
def index(workspace_id: int) -> ResponseReturnValue:
    """Show what the text in the address finds. Without scripts the field sends each of its tokens for itself;
    they become one text.

    With ``part``, as the page asks for while somebody types, only the results and filters, without what takes
    more queries: counts and suggestions."""
    began = clock.monotonic()
    typed = request.args.getlist("q")
    if sum(map(len, typed)) > MOST_LETTERS:
        raise TooMuchAskedError()
    if len(typed) > 1:
        text = " ".join(one.strip() for one in typed if one.strip())
        return redirect(url_for("search.index", workspace_id=workspace_id, q=text or None))
    user, accounts = current_user(), seen_accounts()
    query = read_query("".join(typed))
    after = _place_from_request()
    typing = "part" in request.args
    count = MOST_COUNTED if after is None and not query.empty and not typing else 0
    session = db.session()
    follows = newest_id(session)
    wanted = understood(session, workspace_id, user.id, query, accounts=accounts, zone=reader().zone)
    limit = PAGE_TYPING if typing else finder.PAGE
    found = finder.find(session, workspace_id, user.id, wanted, after=after, limit=limit, count=count)
    people = []
    if after is None and not query.filters:
        people = finder.find_people(session, workspace_id, query, accounts=accounts)
    shown = _shown(workspace_id, wanted, found)
    progress = building.progress(session)
    suggests = not (typing or shown or people or query.empty or found.stopped)
    behind = Backlog()
    impossible = query.empty or wanted.unknown or wanted.clashing
    # The command palette takes the contacts of a whole page, and wants to know why there are none.
    if not (impossible or found.stopped or people or (shown and typing)):
        behind = backlog(session, workspace_id)
    return render_template(
        "search/_panes.html" if typing else "search/index.html",
        typing=typing,
        follows=follows,
        said="" if query.empty else _said(len(shown) + len(people), behind, more=found.next is not None),
        query=query,
        wanted=wanted,
        hits=shown,
        people=people,
        next=None if found.next is None else f"{found.next.at}-{found.next.id}",
        back_to=_back_to(found),
        stopped=found.stopped,
        first=after is None,
        tokens=[_token(wanted, one) for one in query.filters],
        filters_known=FILTERS,
        problems=_problems(wanted),
        strange=list(dict.fromkeys(f"“{one.name}:”" for one in query.strange)),
        meant=[(one, meant) for one in query.strange if (meant := _meant(query, one))],
        groups=_groups(workspace_id, query, _Counting(session, found) if count else None),
        total=_number(len(found.counted), found.complete) if count else "",
        steps=_steps(workspace_id, query) if suggests else [],
        behind=behind,
        built=progress.done,
        share=int(progress.share * 100),
        took=int((clock.monotonic() - began) * 1000),
    )


def _said(number: int, behind: Backlog, *, more: bool) -> str:
    """Return how many results there are, as a screen reader says it once somebody stops typing.

    :param more: whether there may be more.
    """
    if more:
        return _("%(count)s results or more", count=number_text(number))
    if number:
        return str(ngettext("%(num)s result", "%(num)s results", number))
    return behind.sentence or _("No results.")


def _token(wanted: ResolvedQuery, typed: Typed) -> Token:
    value = typed.value
    day = read_day(value) if typed.name in {"before", "after"} else None
    if day is not None:
        this_year = day.year == clock.now().astimezone(reader().zone).year
        value = reader().date_text(day, "d MMM" if this_year else "d MMM y")
    is_wrong = typed in wanted.clashing or typed in wanted.unknown
    return Token(typed, value, wanted.query.without(typed), is_wrong)


def _problems(wanted: ResolvedQuery) -> list[str]:
    """Return why nothing matches: one sentence for each cause, which names all filters it is about."""
    asked = wanted.query.filters
    said = []
    for name in dict.fromkeys(one.name for one in asked if one in wanted.clashing):
        together = _listed(one for one in asked if one.name == name)
        said.append(_("Nothing matches all of %(filters)s.", filters=together))
    unknown = [one for one in asked if one in wanted.unknown and one not in wanted.clashing]
    reversed_ = [one for one in unknown if one.name.startswith("-")]
    days = [one for one in unknown if one.name in {"before", "after"}]
    others = [one for one in unknown if one not in reversed_ and one not in days]
    if reversed_:
        said.append(
            _("A minus works before words, not before a filter: %(filters)s.", filters=_listed(reversed_))
        )
    if days:
        said.append(
            ngettext(
                "%(filters)s is not a date. Use this format: %(name)s:2026-01-31.",
                "%(filters)s are not dates. Use this format: %(name)s:2026-01-31.",
                len(days),
                filters=_listed(days),
                name=days[0].name,
            )
        )
    if others:
        found = ngettext(
            "%(filters)s was not found.",
            "%(filters)s were not found.",
            len(others),
            filters=_listed(others),
        )
        known = [
            f"{name}:{word}" for name in dict.fromkeys(one.name for one in others) for word in words_of(name)
        ]
        available = _("Available: %(filters)s.", filters=", ".join(known)) if known else ""
        said.append(f"{found} {available}".strip())
    return said


def _listed(filters: Iterable[Typed]) -> str:
    return ", ".join(dict.fromkeys(map(str, filters)))


def _meant(query: Query, strange: Typed) -> Typed | None:
    """Return the filter that somebody may have meant who typed one that there is not."""
    names = get_close_matches(strange.name, FILTERS, 1)
    return Typed(names[0], strange.value) if names else None


def _back_to(found: FoundMessages) -> str:
    """Return the day up to which a search that stopped has looked."""
    if found.next is None or not found.stopped:
        return ""
    try:
        at = datetime.fromtimestamp(found.next.at, reader().zone)
    except (OverflowError, ValueError, OSError):
        return ""
    return reader().date_text(at, "d MMMM y")


def _place_from_request() -> SearchPosition | None:
    numbers = numbers_from_request("after")
    return None if numbers is None else SearchPosition(*numbers)


def _shown(workspace_id: int, wanted: ResolvedQuery, found: FoundMessages) -> list[HitView]:
    """Return hits as the page shows them."""
    user, now = current_user(), clock.now()
    ids = {one.conversation_id for one in found.hits}
    rows = {
        row.id: row
        for row in queries.matching_rows(db.session(), workspace_id, user.id, ConversationFilter(), ids)
    }
    directory = current_directory()
    shown: list[HitView] = []
    places = Counter(one.conversation_id for one in found.hits)
    seen: Counter[int] = Counter()
    for hit in found.hits:
        row = rows.get(hit.conversation_id)
        if row is None:
            continue
        name = name_of(row, directory.adapter(row.channel))
        who, beside, mark = _sides(hit, row, name)
        pieces = excerpt(hit.texts, wanted.query.phrases)
        seen[hit.conversation_id] += 1
        place, of = seen[hit.conversation_id], places[hit.conversation_id]
        shown.append(
            HitView(hit, row, who, beside, mark, durations.since(hit.sent_at, now), pieces, place, of)
        )
    return shown


def _sides(hit: Hit, row: Row, name: str) -> tuple[str, str, str]:
    """Return who wrote a message, what stands beside that, and its mark."""
    mark = "file" if hit.files and hit.texts[:1] == hit.files[:1] else "message"
    if hit.direction == Direction.INBOUND:
        return name, handle_of(row, name), mark
    author = hit.author_name or row.account.name or row.account.handle
    if hit.kind == InternalKind.NOTE:
        return author, _("note on %(name)s", name=name), "note"
    return author, _("to %(name)s", name=name), mark


MOST_COUNTED = 500
"""Hits that are counted for the filters."""


class _Counting:
    """Counts what was found by the filters it would be left by."""

    def __init__(self, session: Session, found: FoundMessages) -> None:
        self._complete = found.complete
        self.total = _number(len(found.counted), found.complete)
        midnight = time(tzinfo=reader().zone)
        begins = {str(day): datetime.combine(day + timedelta(days=1), midnight) for day in _days()}
        rows = finder.facts(session, found.counted, begins)
        self._counts = Counter(fact for row in rows for fact in row)
        labels = finder.label_counts(session, found.counted)
        self._counts.update({("label", name.casefold()): number for name, _tone, number in labels})
        self.labels = [name for name, _tone, _number in labels]

    def __call__(self, fact: Fact) -> str:
        return _number(self._counts[fact], self._complete)


def _number(count: int, complete: bool) -> str:
    """Return a count as text: with a sign where there may be more."""
    return f"{count}" if complete else f"{count}+"


def _days() -> list[date]:
    """Return the days after which a week and a month begin."""
    today = clock.now().astimezone(reader().zone).date()
    return [today - timedelta(days=days) for days in (7, 30)]


MOST_STEP_COUNTED = 100
STEPS_SECONDS = 0.2
"""How long all steps together may be looked for, but for a first window of each."""

_Offer = tuple[str, str, Typed, Fact]


def _groups(workspace_id: int, query: Query, counting: _Counting | None) -> list[tuple[str, list[Choice]]]:
    """Return the filters to click on, in groups of which one can be chosen."""
    me = current_user().id
    week, month = map(str, _days())
    seen = seen_accounts()
    accounts = [one for one in reach.choices(db.session(), workspace_id) if seen is None or one.id in seen]
    names = [one.name for one in accounts]
    groups: list[tuple[str, list[_Offer]]] = [
        (
            _("Found in"),
            [
                (_("Messages"), "mail", Typed("is", "message"), ("said", True)),
                (_("Notes"), "note", Typed("is", "note"), ("kind", InternalKind.NOTE)),
                (_("Messages with a file"), "clip", Typed("has", "file"), ("file", True)),
            ],
        ),
        (
            _("Written by"),
            [
                (_("Customers"), "user", Typed("from", "customer"), ("customer", True)),
                (_("The team"), "users", Typed("from", "team"), ("customer", False)),
                (_("You"), "user", Typed("from", "me"), ("author", me)),
            ],
        ),
        (
            _("Conversation"),
            [
                (_("Open"), "inbox", Typed("is", "open"), ("status", ConversationStatus.OPEN)),
                (_("Closed"), "check", Typed("is", "closed"), ("status", ConversationStatus.CLOSED)),
                (_("Yours"), "user", Typed("assignee", "me"), ("assignee", me)),
                (_("Unassigned"), "user", Typed("assignee", "nobody"), ("assignee", None)),
            ],
        ),
        (
            _("When"),
            [
                (_("Last 7 days"), "clock", Typed("after", week), ("after", week)),
                (_("Last 30 days"), "clock", Typed("after", month), ("after", month)),
            ],
        ),
    ]
    if 1 < len(accounts) <= 20:
        # One name may belong to two accounts; an id does not.
        each: list[_Offer] = [
            (
                one.name,
                "at",
                Typed("account", one.name if names.count(one.name) == 1 else str(one.id)),
                ("account", one.id),
            )
            for one in accounts
        ]
        groups.append((_("Account"), each))
    some = teams.all_of(db.session(), workspace_id)
    if 0 < len(some) <= 20:
        groups.append(
            (_("Team"), [(one.name, "users", Typed("team", one.name), ("team", one.id)) for one in some])
        )
    chosen = [one.value for one in query.filters if one.name == "label"]
    known = {one.casefold() for one in chosen}
    others = [] if counting is None else [one for one in counting.labels if one.casefold() not in known]
    found = [(title, _choices(query, offers, counting)) for title, offers in groups]
    kinds = found[0][1]
    alone = query.having(None, [typed for *_label, typed, _fact in groups[0][1]])
    narrowed = any(one.chosen for one in kinds)
    total = "" if counting is None or narrowed else counting.total
    kinds.insert(0, Choice(_("Everything"), "search", not narrowed, alone, total))
    # Of labels all that are chosen count, so each is a group of its own.
    by_label = [
        choice
        for one in (*chosen, *others)
        for choice in _choices(
            query, [(one, "tag", Typed("label", one), ("label", one.casefold()))], counting
        )
    ]
    return [*found, (_("Label"), by_label)] if by_label else found


def _choices(query: Query, offers: Sequence[_Offer], counting: _Counting | None) -> list[Choice]:
    """Return the choices of a group. Where one is chosen, the others would stand in its place: what they find
    was not looked for."""
    group = [typed for *_label, typed, _fact in offers]
    one_is = any(typed in query.filters for typed in group)
    choices = []
    for label, icon, typed, fact in offers:
        chosen = typed in query.filters
        text = query.without(typed) if chosen else query.having(typed, group)
        count = counting(fact) if counting is not None and chosen >= one_is else ""
        choices.append(Choice(label, icon, chosen, text, count))
    return choices


MOST_STEPS = 6
FEWEST_LETTERS = 3
"""Letters that the beginning of a word keeps."""


def _steps(workspace_id: int, query: Query) -> list[QuerySuggestion]:
    """Return what can be tried where nothing was found.

    Each was looked for, and what finds nothing is left out.
    """
    until = clock.monotonic() + STEPS_SECONDS

    def step(label: str, icon: str, text: str) -> QuerySuggestion | None:
        session, seen = db.session(), seen_accounts()
        user_id = current_user().id
        wanted = understood(
            session, workspace_id, user_id, read_query(text), accounts=seen, zone=reader().zone
        )
        found = finder.find(
            session,
            workspace_id,
            user_id,
            wanted,
            limit=1,
            count=MOST_STEP_COUNTED,
            patience=until - clock.monotonic(),
        )
        number = len(found.counted)
        if not wanted.query.filters:
            number += len(finder.find_people(session, workspace_id, wanted.query, accounts=seen))
        if not text or text == query.text or (found.complete and not number):
            return None
        return QuerySuggestion(label, icon, text, _number(number, found.complete) if number else "")

    begun: list[Sequence[str]] = [query.sought] if query.sought else []
    if len(query.sought) == 1:
        (word,) = query.sought
        begun += [[word[:end]] for end in range(len(word) - 1, FEWEST_LETTERS - 1, -1)]
    steps: list[QuerySuggestion | None] = []
    for each in begun[:MOST_STEPS]:
        said = ", ".join(f"“{one}”" for one in each)
        found = step(_("Words starting with %(words)s", words=said), "note", query.beginning(each))
        if found is not None:
            steps = [found]
            if found.count:
                break
    for one in query.filters[:MOST_STEPS]:
        steps.append(step(_("Without %(filter)s", filter=one), "x", query.without(one)))
    if query.filters and query.said:
        text = query.only_filters
        steps.append(step(_("Everything with %(filters)s", filters=text), "inbox", text))
    return [one for one in steps if one is not None][:MOST_STEPS]


@bp.get("/w/<int:workspace_id>/search/messages/<int:message_id>")
@workspace_view(Permission.READ)
def at(workspace_id: int, message_id: int) -> ResponseReturnValue:
    """Go to a message in its conversation, however far back it is."""
    session = db.session()
    row = session.execute(
        sa.select(Message.conversation_id, Message.sent_at, Message.id).where(
            Message.id == message_id, Message.workspace_id == workspace_id
        )
    ).one_or_none()
    if row is None:
        raise MessageNotFoundError()
    behind = session.execute(
        sa.select(Message.sent_at, Message.id)
        .where(
            Message.conversation_id == row.conversation_id,
            *later_than((row.sent_at, row.id), Message.sent_at, Message.id),
        )
        .order_by(Message.sent_at, Message.id)
        .limit(BEHIND + 1)
    ).all()
    values: dict[str, Any] = {}
    if len(behind) > BEHIND:
        last = behind[-1]
        values["before"] = position_text((last.sent_at, last.id))
    text = request.args.get("q", "")
    if text:
        values |= {"found": text[:1000], "hit": row.id}
    address = url_for(
        "inbox.conversation",
        workspace_id=workspace_id,
        conversation_id=row.conversation_id,
        _anchor=f"m-{row.id}",
        **values,
    )
    return redirect(address)
