"""Choose accounts in a form, however many a workspace has; labels, people and the options of selects too.

The form shows the accounts that are chosen, and some that were looked for; of a few accounts it shows all. A
script looks for others while somebody types. Without it the form is sent, and its view shows it again where
:func:`is_looking` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request, url_for
from sqlalchemy.orm import Session

from host.users import reach
from host.users.reach import Choice
from host.web.request_helpers import id_in, seen_accounts
from host.web.template_filters import mark_of

FEW = 20
"""Up to so many accounts are all shown, and there is nothing to look for."""
MOST_FOUND = 25
MOST_CHOSEN = 50
"""Most chosen accounts with a row of their own; a hidden field has the others."""
LONGEST = 100
"""Letters of a search that are looked at."""
KINDS = ("account", "label", "person", "option")
"""What can be looked for: the fields of each begin with its name."""

Option = tuple[Any, ...]
"""An option of a select: its value, its words, and what else its template needs."""


@dataclass(frozen=True, slots=True)
class Picker:
    """The accounts that a form shows to choose from, or the labels or people.

    :param kind: one of :data:`KINDS`.
    :param whole: how many accounts can be chosen.
    :param few: whether all of them are in *found*, chosen or not.
    :param chosen: those that are chosen and not in *found*; *rest*: the ids of chosen ones without a row.
    :param found: those that were looked for, or the first ones; *matches*: how many there are of these.
    :param ids: of all that are chosen.
    :param wanted: what was looked for; empty: nothing.
    :param url: where a script looks for others.
    """

    kind: str
    whole: int
    few: bool
    chosen: Sequence[Choice]
    rest: Sequence[int]
    found: Sequence[Choice]
    matches: int
    ids: frozenset[int]
    wanted: str
    url: str

    @property
    def offered(self) -> list[Choice]:
        """The rows of a list in which one is chosen, by name."""
        return sorted([*self.chosen, *self.found], key=lambda one: (one.name.casefold(), one.id))


def picker(session: Session, workspace_id: int, chosen: Collection[int] = ()) -> Picker:
    """Return the accounts that somebody who sees some of a workspace can choose from. One statement.

    Ids in *chosen* that are not theirs to see are left out.
    """
    url = url_for("accounts.account_choices", workspace_id=workspace_id)
    return pick("account", _accounts(session, workspace_id), chosen, url)


def pick(
    kind: str, everything: Sequence[Choice], chosen: Collection[int], url: str, first: Collection[int] = ()
) -> Picker:
    """Return which of *everything* a form shows.

    :param kind: one of :data:`KINDS`; *url*: where a script looks for others.
    :param first: chosen ones that have a row in any case.
    """
    wanted = _wanted(kind)
    ids = frozenset(chosen).intersection(one.id for one in everything)
    few = len(everything) <= FEW
    if few:
        found = everything
    elif wanted:
        found = [one for one in everything if one.matches(wanted)]
    else:
        found = [one for one in everything if one.id not in ids]
    shown = found if few else found[:MOST_FOUND]
    listed = {one.id for one in shown}
    others = sorted(
        (one for one in everything if one.id in ids - listed), key=lambda one: one.id not in first
    )
    with_row = max(MOST_CHOSEN, sum(one.id in first for one in others))
    return Picker(
        kind=kind,
        whole=len(everything),
        few=few,
        chosen=others[:with_row],
        rest=[one.id for one in others[with_row:]],
        found=shown,
        matches=len(found),
        ids=ids,
        wanted="" if few else wanted,
        url=url,
    )


def named(rows: Iterable[Any]) -> list[Choice]:
    """Return labels or people, rows with an id and a name, as what can be chosen."""
    return [Choice(row.id, "", row.name) for row in rows]


def find(session: Session, workspace_id: int) -> Response:
    """Return the first accounts that the query parameter ``q`` finds, for the script. One statement."""
    return matching(_accounts(session, workspace_id))


def matching(everything: Iterable[Choice]) -> Response:
    """Return the first of *everything* that the query parameter ``q`` finds, for the script."""
    wanted = searched()
    found = [one for one in everything if one.matches(wanted)]
    choices = [
        {"id": one.id, "name": one.name, "channel": str(mark_of(one.channel)[1]) if one.channel else ""}
        for one in found[:MOST_FOUND]
    ]
    return jsonify(choices=choices, found=len(found), shown=len(choices))


@dataclass(frozen=True, slots=True)
class Options:
    """The groups of options that the selects of a form offer, each with a few of its options.

    :param groups: each with the name by which a script knows it, empty for one that is whole, its title and
        its options.
    :param found: how many options of long groups were found; *shown*: how many of these are offered.
    """

    groups: Sequence[tuple[str, str, Sequence[Option]]]
    found: int
    shown: int
    wanted: str
    kind: str = "option"

    @property
    def few(self) -> bool:
        """Whether all options are offered, and there is nothing to look for."""
        return not any(name for name, _title, _options in self.groups)

    def __add__(self, other: Options) -> Options:
        """Return both as those of one form."""
        found, shown = self.found + other.found, self.shown + other.shown
        return Options([*self.groups, *other.groups], found, shown, self.wanted)


def found_options(some: Options) -> Response:
    """Return the options that were found in long groups, for the script."""
    groups = {name: options for name, _title, options in some.groups if name}
    return jsonify(options=groups, found=some.found, shown=some.shown)


def options(
    list_name: str,
    groups: Sequence[tuple[str, Sequence[Option]]],
    chosen: Collection[str] = (),
    wanted: str | None = None,
    also: Mapping[str, str] | None = None,
) -> Options:
    """Leave out of each long group what was not looked for.

    What names nothing of the workspace stays, such as “nobody”.

    :param list_name: of the select, for the script.
    :param chosen: the values that stand in the form.
    :param wanted: words of options; None: what the form looks for.
    :param also: other words by which options are found, by their values.
    """
    wanted = _wanted("option") if wanted is None else wanted
    narrowed: list[tuple[str, str, Sequence[Option]]] = []
    all_found = all_shown = 0
    for at, (title, group) in enumerate(groups):
        if len(group) <= FEW:
            narrowed.append(("", title, group))
            continue
        found = [
            one
            for one in group
            if _names_something(one)
            and wanted.casefold() in f"{one[1]} {(also or {}).get(one[0], '')}".casefold()
        ]
        listed = {one[0] for one in found[:MOST_FOUND]}
        kept = [one for one in group if one[0] in listed or one[0] in chosen or not _names_something(one)]
        narrowed.append((f"{list_name}:{at}", title, kept))
        all_found += len(found)
        all_shown += len(listed)
    return Options(narrowed, all_found, all_shown, wanted)


def _names_something(option: Option) -> bool:
    return any(part.isdigit() for part in option[0].split(":"))


def is_looking() -> bool:
    """Tell whether a form was sent to look for something: it is shown again, and nothing is saved.

    By its button, or by Enter in the field. A script takes both out of the form.
    """
    form = request.form
    return any(f"{kind}_look" in form or _wanted(kind) != form.get(f"{kind}_found", "") for kind in KINDS)


def chosen_ids(name: str = "account") -> list[int]:
    """Return the ids that a form with a picker chooses.

    :raises InvalidError: for something that is no id.
    """
    given = [one for text in request.form.getlist(name) for one in text.split(",")]
    return list(dict.fromkeys(id_in(one, name) for one in given if one))


def _wanted(kind: str) -> str:
    return request.values.get(f"{kind}_find", "").strip()[:LONGEST]


def searched() -> str:
    """Return what a script looks for: the query parameter ``q``."""
    return request.args.get("q", "").strip()[:LONGEST]


def _accounts(session: Session, workspace_id: int) -> list[Choice]:
    seen = seen_accounts()
    return [one for one in reach.choices(session, workspace_id) if seen is None or one.id in seen]
