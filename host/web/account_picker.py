"""Choose from any number of accounts in a form; also labels, people and the options of selects.

The form shows the chosen accounts and some search results; if there are only a few accounts, it shows all of
them. A script searches while the person types. Without it, the form is sent, and its view shows it again if
:func:`is_looking` is true.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from flask import Response, jsonify, request, url_for
from sqlalchemy.orm import Session

from host.users import reach
from host.users.reach import Choice
from host.web.request_helpers import id_in, seen_accounts
from host.web.template_filters import mark_of

FEW = 20
"""Largest number of accounts that are all shown, without a search."""
MOST_FOUND = 25
MOST_CHOSEN = 50
"""Maximum number of chosen accounts with their own rows; the others are in a hidden field."""
LONGEST = 100
"""Longest search text in characters."""
KINDS = ("account", "label", "person", "option")
"""Kinds of objects to search; the fields of each begin with its name."""

Option = tuple[Any, ...]
"""An option of a select: its value, its label, and further values for its template."""


class Picker(msgspec.Struct, frozen=True):
    """The accounts, labels or people that a form offers.

    :param kind: one of :data:`KINDS`.
    :param whole: number of accounts to choose from.
    :param few: whether all of them are in *found*, chosen or not.
    :param chosen: chosen ones that are not in *found*; *rest*: the ids of chosen ones without a row.
    :param found: search results, or the first ones; *matches*: their total number.
    :param ids: ids of all chosen ones.
    :param wanted: the search text; empty: none.
    :param url: address at which a script searches.
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
        """Rows of a list in which one can be chosen, by name."""
        return sorted([*self.chosen, *self.found], key=lambda one: (one.name.casefold(), one.id))


def picker(session: Session, workspace_id: int, chosen: Collection[int] = ()) -> Picker:
    """Return a picker of the accounts in a workspace that the person sees. One statement.

    Ids in *chosen* that they may not see are left out.
    """
    url = url_for("accounts.account_choices", workspace_id=workspace_id)
    return pick("account", _accounts(session, workspace_id), chosen, url)


def pick(
    kind: str, everything: Sequence[Choice], chosen: Collection[int], url: str, first: Collection[int] = ()
) -> Picker:
    """Return the part of *everything* that a form shows.

    :param kind: one of :data:`KINDS`; *url*: address at which a script searches.
    :param first: chosen ones that always have a row.
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
    """Return labels or people, rows with an id and a name, as choices."""
    return [Choice(row.id, "", row.name) for row in rows]


def find(session: Session, workspace_id: int) -> Response:
    """Return the first accounts that match the query parameter ``q``, for the script. One statement."""
    return matching(_accounts(session, workspace_id))


def matching(everything: Iterable[Choice]) -> Response:
    """Return the first of *everything* that match the query parameter ``q``, for the script."""
    wanted = searched()
    found = [one for one in everything if one.matches(wanted)]
    choices = [
        {"id": one.id, "name": one.name, "channel": str(mark_of(one.channel)[1]) if one.channel else ""}
        for one in found[:MOST_FOUND]
    ]
    return jsonify(choices=choices, found=len(found), shown=len(choices))


class Options(msgspec.Struct, frozen=True):
    """The groups of options that the selects of a form offer, each with a few of its options.

    :param groups: each with the name a script uses for it (empty for a complete one), its title and its
        options.
    :param found: how many options of long groups were found; *shown*: how many of these are offered.
    """

    groups: Sequence[tuple[str, str, Sequence[Option]]]
    found: int
    shown: int
    wanted: str
    kind: str = "option"

    @property
    def few(self) -> bool:
        """Whether all options are offered, without a search."""
        return not any(name for name, _title, _options in self.groups)

    def __add__(self, other: Options) -> Options:
        """Combine both as options of one form."""
        found, shown = self.found + other.found, self.shown + other.shown
        return Options([*self.groups, *other.groups], found, shown, self.wanted)


def found_options(some: Options) -> Response:
    """Return the options found in long groups, for the script."""
    groups = {name: options for name, _title, options in some.groups if name}
    return jsonify(options=groups, found=some.found, shown=some.shown)


def options(
    list_name: str,
    groups: Sequence[tuple[str, Sequence[Option]]],
    chosen: Collection[str] = (),
    wanted: str | None = None,
    also: Mapping[str, str] | None = None,
) -> Options:
    """Shorten each long group to the search results.

    Options that are not objects of the workspace, such as “nobody”, stay.

    :param list_name: of the select, for the script.
    :param chosen: the values in the form.
    :param wanted: search text; None: that of the form.
    :param also: additional search words for options, by value.
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
    """Return whether a form was sent only to search: it is then shown again, and nothing is saved.

    That happens with its button, or with Enter in the field. A script removes both from the form.
    """
    form = request.form
    return any(f"{kind}_look" in form or _wanted(kind) != form.get(f"{kind}_found", "") for kind in KINDS)


def chosen_ids(name: str = "account") -> list[int]:
    """Return the ids chosen in a form with a picker.

    :raises InvalidError: for a value that is not an id.
    """
    given = [one for text in request.form.getlist(name) for one in text.split(",")]
    return list(dict.fromkeys(id_in(one, name) for one in given if one))


def _wanted(kind: str) -> str:
    return request.values.get(f"{kind}_find", "").strip()[:LONGEST]


def searched() -> str:
    """Return the search text of a script: the query parameter ``q``."""
    return request.args.get("q", "").strip()[:LONGEST]


def _accounts(session: Session, workspace_id: int) -> list[Choice]:
    seen = seen_accounts()
    return [one for one in reach.choices(session, workspace_id) if seen is None or one.id in seen]
