"""Hooks of addons that other features call."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence

import sqlalchemy as sa
from flask_babel import format_decimal, ngettext
from sqlalchemy.orm import Session

from host.addons import setting_forms
from host.addons.running import listening, parked_events
from host.channels import timeouts
from host.channels.directory import Directory
from host.features.hookspecs import hookimpl
from host.features.messages_after import MessagesAfter
from host.features.problem import Problem
from host.models.users import Workspace
from host.sdk import _acting
from host.sdk.events import Listener
from host.web.languages import gettext as _
from host.web.languages import moment

log = logging.getLogger(__name__)

COUNTING_SECONDS = 2.0
"""How long an addon may count whom it would write to."""


@hookimpl
def messages_after(
    session: Session,
    workspace_id: int,
    kinds: Collection[str],
    conversations: Collection[int],
    directory: Directory,
) -> Sequence[MessagesAfter]:
    """Return the addons whose listeners would write to customers because of events of *kinds*."""
    writing = [one for one in directory.listeners if one.writes_to is not None]
    names = setting_forms.names(session) if writing else {}
    found = []
    for one in writing:
        for kind in set(kinds).intersection(one.events):
            name = one.name.partition(".")[0]
            theirs = _written_to(one, workspace_id, kind, conversations)
            found.append(MessagesAfter(kind, _(names.get(name, name)), theirs))
    return found


def _written_to(
    listener: Listener, workspace_id: int, kind: str, conversations: Collection[int]
) -> frozenset[int]:
    """Return whom a listener would write to; all of them if it can't say."""
    asked, call = frozenset(conversations), listener.writes_to
    assert call is not None
    try:
        what = f"listener {listener.name}"
        told = timeouts.within(COUNTING_SECONDS, what, lambda: call(workspace_id, kind, asked))
        return asked.intersection(told)
    except Exception:
        log.exception("the listener %s could not say whom it would write to", listener.name)
        return asked


@hookimpl
def problems(session: Session) -> Sequence[Problem]:
    """Return addons without required settings, those that hang, fail to listen, or changed too much."""
    return [
        *_without_settings(session),
        *_hung(session),
        *_stuck(session),
        *_parked(session),
        *_at_their_limit(session),
    ]


def _hung(session: Session) -> Iterator[Problem]:
    for one in timeouts.lately(session):
        fact = ngettext(
            "%(num)s call of “%(function)s” of the addon %(addon)s did not return in time within the last "
            "hour.",
            "%(num)s calls of “%(function)s” of the addon %(addon)s did not return in time within the last "
            "hour.",
            one.times,
            function=one.name,
            addon=one.slug,
        )
        yield Problem("warn", fact, _advice(one.name), ("addons.index", {}), _("Addons"))


def _advice(function: str) -> str:
    """Return what Lobby does about a *function* that hangs, and what to do."""
    kind = function.partition(" ")[0]
    if kind == "job":
        does = _(
            "A run is ended after ten minutes, with the programs it started. While one can't be ended, its "
            "process doesn't start the job again. Other jobs go on."
        )
    elif kind in timeouts.KINDS:
        does = _(
            "Lobby continues without them, and doesn't repeat one for the same customer while it hangs. "
            "While %(number)s hang, a process doesn't call this function; while %(most)s of the addon hang, "
            "none of its panels, actions, conditions, tools and API routes.",
            number=timeouts.MOST_HUNG,
            most=timeouts.MOST_OF_ADDON,
        )
    else:
        does = _("Lobby ended them. If more follow, the addon is switched off in the process.")
    next_step = _("Deactivate the addon, or fix what it waits for.")
    return f"{does} {next_step}"


def _stuck(session: Session) -> Iterator[Problem]:
    for one in listening.stuck(session):
        fact = _(
            "The listener “%(name)s” of the addon %(addon)s has failed since %(since)s: %(problem)s.",
            name=one.listener,
            addon=one.listener.partition(".")[0],
            since=moment(one.since),
            problem=one.problem,
        )
        if one.problem == parked_events.FULL:
            advice = _(
                "%(number)s events are set aside for it, so it waits instead of setting more aside. Retry or "
                "skip those, update the addon, or deactivate it: it then continues with new events.",
                number=format_decimal(parked_events.MOST),
            )
            yield Problem("warn", fact, advice, *_page_of(one.listener))
            continue
        advice = _(
            "It retries, and skips the event after 24 hours. The log has the error. Update the addon, or "
            "deactivate it: it then continues with new events."
        )
        if one.is_broken:
            why = _(
                "Events of %(number)s conversations failed one after the other, so Lobby takes the listener "
                "for broken and passes it no other events.",
                number=parked_events.IN_A_ROW,
            )
            advice = f"{why} {advice}"
        yield Problem("warn", fact, advice)


def _parked(session: Session) -> Iterator[Problem]:
    for one in parked_events.counts(session):
        if not one.failed:
            continue
        fact = ngettext(
            "The listener “%(name)s” of the addon %(addon)s could not handle %(num)s event.",
            "The listener “%(name)s” of the addon %(addon)s could not handle %(num)s events.",
            one.failed,
            name=one.listener,
            addon=one.slug,
        )
        advice = _("It goes on with other conversations, retries these, and skips each after 24 hours.")
        if one.waiting:
            behind = ngettext(
                "%(num)s later event of the same conversations waits.",
                "%(num)s later events of the same conversations wait.",
                one.waiting,
            )
            advice = f"{advice} {behind}"
        yield Problem("warn", fact, advice, *_page_of(one.listener))


def _page_of(listener: str) -> tuple[tuple[str, Mapping[str, str]], str]:
    """Return the page with the events set aside for *listener*, and the text of the link."""
    return ("addons.parked", {"slug": listener.partition(".")[0]}), _("Events set aside")


def _at_their_limit(session: Session) -> Iterator[Problem]:
    found = listening.at_their_limit(session)
    if not found:
        return
    query = sa.select(Workspace.id, Workspace.name).where(Workspace.id.in_([id_ for _slug, id_ in found]))
    names = {row.id: row.name for row in session.execute(query)}
    for slug, workspace_id in found:
        fact = _(
            "The addon %(addon)s made %(number)s changes in %(workspace)s within an hour, so further ones "
            "are refused.",
            addon=slug,
            number=_acting.MOST_AN_HOUR,
            workspace=names.get(workspace_id, workspace_id),
        )
        yield Problem("warn", fact, _("Check the addon for a loop, or deactivate it."))


def _without_settings(session: Session) -> Iterator[Problem]:
    for one in setting_forms.missing_on_server(session):
        yield Problem(
            "warn",
            _("The addon %(name)s needs settings.", name=one.name),
            _("Fill in its server settings. Until then, it may not work."),
            ("addons.desk_form", {"slug": one.slug}),
            _("Server settings"),
        )


@hookimpl
def health_lines(session: Session) -> Sequence[tuple[str, str]] | None:
    """Return in how many workspaces owners have not filled in the required settings of each addon."""
    sentences = [
        ngettext(
            "%(name)s needs settings in %(num)s workspace.",
            "%(name)s needs settings in %(num)s workspaces.",
            number,
            name=_(manifest.name),
        )
        for manifest, number in setting_forms.missing_in_workspaces(session)
    ]
    return [(_("Settings of addons"), " ".join(sentences))] if sentences else None
