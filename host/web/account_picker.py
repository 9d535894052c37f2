"""Choose accounts in a form, however many a workspace has.

The form shows the accounts that are chosen, and some that were looked for; of a few accounts it shows all. A
script looks for others while somebody types. Without it the form is sent, and its view shows it again where
:func:`is_looking` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flask import request, url_for
from sqlalchemy.orm import Session

from host.users import reach
from host.users.reach import Choice
from host.web.request_helpers import id_in, seen_accounts

FEW = 20
"""Up to so many accounts are all shown, and there is nothing to look for."""
MOST_FOUND = 25
MOST_CHOSEN = 50
"""Most chosen accounts with a row of their own; a hidden field has the others."""
LONGEST = 100
"""Letters of a search that are looked at."""


@dataclass(frozen=True, slots=True)
class Picker:
    """The accounts that a form shows to choose from.

    :param whole: how many accounts can be chosen.
    :param few: whether all of them are in *found*, chosen or not.
    :param chosen: those that are chosen and not in *found*; *rest*: the ids of chosen ones without a row.
    :param found: those that were looked for, or the first ones; *matches*: how many there are of these.
    :param ids: of all that are chosen.
    :param wanted: what was looked for; empty: nothing.
    :param url: where a script looks for others.
    """

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


def picker(
    session: Session, workspace_id: int, chosen: Collection[int] = (), *, connected: bool = False
) -> Picker:
    """Return the accounts that somebody who sees some of a workspace can choose from. One statement.

    Ids in *chosen* that are not theirs to see are left out.

    :param connected: leave out disconnected accounts.
    """
    wanted = _wanted()
    everything = _accounts(session, workspace_id, connected=connected)
    ids = frozenset(one.id for one in everything if one.id in set(chosen))
    few = len(everything) <= FEW
    if few:
        found = everything
    elif wanted:
        found = [one for one in everything if one.matches(wanted)]
    else:
        found = [one for one in everything if one.id not in ids]
    shown = found if few else found[:MOST_FOUND]
    listed = {one.id for one in shown}
    others = [one for one in everything if one.id in ids and one.id not in listed]
    return Picker(
        whole=len(everything),
        few=few,
        chosen=others[:MOST_CHOSEN],
        rest=[one.id for one in others[MOST_CHOSEN:]],
        found=shown,
        matches=len(found),
        ids=ids,
        wanted="" if few else wanted,
        url=url_for(
            "accounts.account_choices", workspace_id=workspace_id, connected="1" if connected else None
        ),
    )


def find(session: Session, workspace_id: int, *, connected: bool = False) -> tuple[list[Choice], int]:
    """Return the first accounts that the query parameter ``q`` finds, and how many it does. One statement."""
    wanted = request.args.get("q", "").strip()[:LONGEST]
    everything = _accounts(session, workspace_id, connected=connected)
    found = [one for one in everything if one.matches(wanted)]
    return found[:MOST_FOUND], len(found)


def is_looking() -> bool:
    """Tell whether a form was sent to look for accounts: it is shown again, and nothing is saved.

    By its button, or by Enter in the field. A script takes both out of the form.
    """
    form = request.form
    return "account_look" in form or _wanted() != form.get("account_found", "")


def chosen_ids(name: str = "account") -> list[int]:
    """Return the ids that a form with a picker chooses.

    :raises InvalidError: for something that is no id.
    """
    given = [one for text in request.form.getlist(name) for one in text.split(",")]
    return list(dict.fromkeys(id_in(one, name) for one in given if one))


def _wanted() -> str:
    return request.values.get("account_find", "").strip()[:LONGEST]


def _accounts(session: Session, workspace_id: int, *, connected: bool) -> list[Choice]:
    seen = seen_accounts()
    return [
        one
        for one in reach.choices(session, workspace_id)
        if (seen is None or one.id in seen) and (one.connected or not connected)
    ]
