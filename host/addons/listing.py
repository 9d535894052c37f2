"""The admin's list of addons: the state of each in plain words, its buttons, its accounts and faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from msgspec.structs import replace

import host as host_package
from host.addons import health, operation_lock
from host.addons.health import Health
from host.addons.metrics import across_processes
from host.addons.metrics.in_process import Key, Series
from host.addons.package import keys, trust
from host.addons.package.manifest import Manifest
from host.addons.package.store import Release, icon_of, texts_of
from host.addons.package.translated import in_words
from host.addons.package.trust import Standing
from host.addons.records import Card, installed
from host.addons.running import held_webhooks, parked_events
from host.addons.running.generation import Generation
from host.channels import timeouts
from host.core import clock, db
from host.core.config import Config
from host.models.addons import AddonState, Operation
from host.models.channels import AccountState, ChannelAccount
from host.web.languages import gettext as _


class StateDisplay(msgspec.Struct, frozen=True):
    """The display of a state, with its button.

    :param tone: colour of the chip: empty, ``good``, ``warn`` or ``bad``.
    :param recoverable: whether the button can activate the addon; otherwise a cause outside it must be fixed
        first, which *otherwise* describes.
    :param button: the label of the button; empty if the only option is to wait.
    """

    label: object
    tone: str
    icon: str
    recoverable: bool
    button: object
    otherwise: object = ""


STATES: dict[AddonState, StateDisplay] = {
    AddonState.INACTIVE: StateDisplay(_l("Inactive"), "", "", True, _l("Activate")),
    AddonState.ACTIVATING: StateDisplay(_l("Activating"), "warn", "wait", True, ""),
    AddonState.ACTIVE: StateDisplay(_l("Active"), "good", "check", True, _l("Deactivate")),
    AddonState.MIGRATION_FAILED: StateDisplay(_l("Migration failed"), "bad", "alert", True, _l("Try again")),
    AddonState.QUARANTINED: StateDisplay(_l("Quarantined"), "bad", "ban", True, _l("Try again")),
    AddonState.MODIFIED: StateDisplay(_l("Modified"), "bad", "alert", True, _l("Restore files")),
    AddonState.INCOMPATIBLE: StateDisplay(
        _l("Incompatible"),
        "bad",
        "alert",
        False,
        _l("Try again"),
        _l("Upload a release that is compatible with this version of Lobby, or roll back."),
    ),
    AddonState.UNTRUSTED: StateDisplay(
        _l("Untrusted"),
        "bad",
        "shield",
        False,
        _l("Try again"),
        _l("Trust the publisher's key, or upload a release signed with a key you trust."),
    ),
}

OPERATIONS: dict[Operation, object] = {
    Operation.UPDATING: _l("Updating"),
    Operation.ROLLING_BACK: _l("Rolling back"),
    Operation.REMOVING: _l("Removing"),
}


class Use(msgspec.Struct, frozen=True):
    """The accounts connected through an addon, over all workspaces."""

    in_workspaces: frozenset[int] = frozenset()
    accounts: int = 0
    reconnect: int = 0
    last_event_at: datetime | None = None

    @property
    def workspaces(self) -> int:
        return len(self.in_workspaces)


class LastFault(msgspec.Struct, frozen=True):
    """The last error in the code of this release, in any process, within a day.

    :param sentence: the failure in plain words.
    :param detail: the place in the code, the error's message, and the releases that failed.
    """

    sentence: str
    at: datetime
    detail: str


class CardView(msgspec.Struct, frozen=True):
    """A card of the addon list, ready to be rendered.

    :param tone: colour of the chip: empty, ``good``, ``warn`` or ``bad``.
    :param sentences: what an admin should know; the first is bold.
    :param statement: the SQL of a migration that failed.
    :param detail: for "Show the error".
    """

    card: Card
    signature: Standing
    label: str
    tone: str
    icon: str
    sentences: tuple[str, ...]
    statement: str
    detail: str
    use: Use
    health: Health
    has_health: bool
    """Whether it brings channels and is, or was, active: only then is "no messages" worth showing."""
    fault: LastFault | None
    stopping: str
    """The confirmation question before deactivating: what stops and what is kept."""
    picture: str
    """Its icon as a ``data:`` address; empty: none."""
    requests_waiting: int
    """Held webhook requests the addon has not decided on yet."""
    events_failed: int
    events_waiting: int
    """Events set aside that its listeners could not handle, and those behind them."""
    has_page: bool
    has_form: bool
    """Whether it runs and declares settings for the whole server."""
    is_set_elsewhere: bool
    """Whether it runs without a settings page, with only cards for connecting accounts."""
    may_stop: bool
    """Whether its migrations are being tested on a copy."""
    may_activate: bool
    may_deactivate: bool
    may_roll_back: bool
    activate_label: str

    @property
    def group(self) -> str:
        """Return its section: ``troubled``, ``on`` or ``off``.

        An operation in progress doesn't count as trouble.
        """
        if self.icon != "wait" and self.tone in ("warn", "bad"):
            return "troubled"
        return "on" if self.may_deactivate or not self.may_activate else "off"

    @property
    def deeds(self) -> list[str]:
        """Return its actions: the main one first, those that stop or remove it last."""
        under_way = self.card.state is AddonState.ACTIVATING
        possible = {
            "activate": self.may_activate and bool(self.activate_label),
            "settings": self.has_page,
            "form": self.has_form,
            "report": True,
            "roll_back": self.may_roll_back,
            "deactivate": self.may_deactivate,
            "uninstall": not self.may_deactivate and not under_way,
        }
        return [name for name, may in possible.items() if may]


def cards(config: Config, generation: Generation) -> list[CardView]:
    """Return every installed addon with its state in *generation*, by name."""
    found = installed()
    trusted, waiting, uses, day = trust.load(config), held_webhooks.counts(), _uses(), health.of_last_day()
    _since, seen = across_processes.all_calls()
    with db.read() as session:
        hung = timeouts.lately(session)
        parked = parked_events.counts(session)
        tested = operation_lock.tested(session)
    return [
        _shown(
            readable(config, card),
            generation,
            _together([uses[one] for one in card.manifest.channels if one in uses]),
            health.of_channels(card.manifest.channels, day),
            _last_fault(card, seen),
            trust.standing_of(config, card.release, trust=trusted),
            waiting.get(card.slug, 0),
            icon_of(config.data, card.release),
            [one for one in hung if one.slug == card.slug],
            [one for one in parked if one.slug == card.slug],
            card.under_way is not None and card.slug == tested,
        )
        for card in found
    ]


READS: Mapping[str, object] = {
    "conversations": _l("Conversations and messages of every workspace"),
    "contacts": _l("Names and addresses of customers"),
}
"""The things an addon may declare to read on the desk, in words."""
WRITES: Mapping[str, object] = {
    "notes": _l("Adds notes"),
    "labels": _l("Adds, creates and removes labels"),
    "assignments": _l("Assigns conversations"),
    "attributes": _l("Fills in contact attributes"),
    "replies": _l("Sends replies to customers"),
}
"""The things an addon may declare to change on the desk, in words."""


def readable(config: Config, card: Card) -> Card:
    """Return *card* with the name and the description of its addon in the reader's language."""
    return replace(card, release=readable_release(config, card.release))


def readable_release(config: Config, release: Release) -> Release:
    """Return *release* with the name and the description of its addon in the reader's language."""
    return replace(release, manifest=in_words(release.manifest, texts_of(config.data, release)))


def secrets_of(manifest: Manifest) -> list[str]:
    """Return the settings of an addon that hold secrets, by name."""
    forms = (manifest.forms.workspace, manifest.forms.desk)
    entered = {name for form in forms for name, field in form.items() if field.secret}
    return sorted(entered | {name for name, setting in manifest.settings.items() if setting.secret})


def fingerprint(release: Release) -> str:
    """Return the fingerprint of the key of *release*; empty if it is not signed."""
    return keys.fingerprint(keys.public_key(release.public_key).id) if release.public_key else ""


_WORDS = {
    "authenticate": _l("Verifying a webhook request failed."),
    "verify": _l("Answering the provider's webhook verification failed."),
    "parse": _l("Reading an event from the provider failed."),
    "send": _l("Sending a message failed."),
    "reply_policy": _l("Checking whether a reply may be sent failed."),
    "fetch_profile": _l("Fetching a customer's profile failed."),
    "fetch_profiles": _l("Fetching a customer's profile failed."),
    "react": _l("Adding a reaction to a message failed."),
    "connect": _l("Connecting an account failed."),
    "card status": _l("Checking an account's status failed."),
    "disconnect": _l("Disconnecting an account failed."),
    "admin page": _l("Showing the settings page failed."),
    "page": _l("Showing one of its pages failed."),
}
"""Meaning of a failure, by the name a function is counted under."""


def _last_fault(card: Card, seen: Mapping[Key, Series]) -> LastFault | None:
    since = clock.now() - timedelta(hours=health.HOURS)
    latest = [
        (series.last_fault_at, what, series)
        for (slug, release, what), series in seen.items()
        if (slug, release) == (card.slug, card.version)
        and series.last_fault_at is not None
        and series.last_fault_at >= since
    ]
    if not latest:
        return None
    at, what, series = max(latest, key=lambda one: one[0])
    kind, _space, name = what.partition(" ")
    if what in _WORDS:
        sentence = str(_WORDS[what])
    elif kind == "job":
        sentence = _("The scheduled job “%(name)s” failed.", name=name)
    elif kind == "page":
        sentence = str(_WORDS["page"])
    else:
        sentence = _("The addon failed in “%(name)s”.", name=what)
    often = _(
        "%(what)s: %(faults)s of %(calls)s calls failed",
        what=what,
        faults=series.faults,
        calls=series.calls,
    )
    releases = f"addon {card.version} · host {host_package.__version__}"
    return LastFault(sentence, at, f"{series.last_error}\n{often}\n{releases}")


def _uses() -> dict[str, Use]:
    """Return the accounts of each channel, by channel."""
    reconnect = sa.case((ChannelAccount.state == AccountState.NEEDS_RECONNECT, 1), else_=0)
    query = (
        sa.select(
            ChannelAccount.channel,
            ChannelAccount.workspace_id,
            sa.func.count(),
            sa.func.sum(reconnect),
            sa.func.max(ChannelAccount.last_event_at),
        )
        .where(ChannelAccount.state != AccountState.DISCONNECTED)
        .group_by(ChannelAccount.channel, ChannelAccount.workspace_id)
    )
    found: dict[str, list[Use]] = {}
    with db.read() as session:
        for channel, workspace, accounts, waiting, last in session.execute(query):
            one = Use(frozenset([workspace]), accounts, int(waiting), last)
            found.setdefault(channel, []).append(one)
    return {channel: _together(uses) for channel, uses in found.items()}


def _together(uses: Sequence[Use]) -> Use:
    return Use(
        frozenset[int]().union(*(one.in_workspaces for one in uses)),
        sum(one.accounts for one in uses),
        sum(one.reconnect for one in uses),
        max((one.last_event_at for one in uses if one.last_event_at is not None), default=None),
    )


def _shown(
    card: Card,
    generation: Generation,
    use: Use,
    day: Health,
    fault: LastFault | None,
    signature: Standing,
    waiting: int,
    picture: str,
    hung: Sequence[timeouts.HungFunction],
    parked: Sequence[parked_events.Count],
    may_stop: bool,
) -> CardView:
    slug = card.slug
    error = card.error or {}
    # Sentences without names are translated here; others were translated when they were stored.
    sentences = [_(str(error["sentence"]))] if error.get("sentence") else []
    detail = str(error.get("database") or "")
    state = card.state
    running = state is AddonState.ACTIVE and slug in generation.releases
    if state is AddonState.ACTIVE and slug in generation.failures:
        sentences = [_(generation.failures[slug]), _("Lobby runs without it.")]
        detail = generation.failure_details.get(slug, "")
        state = generation.failure_states.get(slug, AddonState.QUARANTINED)
    elif state is AddonState.ACTIVE and not running:
        sentences = [_("Lobby was started without addons (LOBBY_SAFE_MODE).")]
    notes = list(generation.attention.get(slug, ())) if running else []
    if running and sentences:
        failed_update = _(
            "The update to %(version)s failed; %(current)s is still running. Upload the zip again to retry.",
            version=error.get("version", ""),
            current=card.version,
        )
        sentences, notes = [failed_update, *sentences], [*notes, ""]
    if running and use.reconnect:
        notes.append(
            ngettext(
                "%(num)s account must be reconnected. Replies wait until then.",
                "%(num)s accounts must be reconnected. Replies wait until then.",
                use.reconnect,
            )
        )
    if running:
        notes.extend(
            ngettext(
                "%(num)s call of “%(function)s” did not return in time within the last hour.",
                "%(num)s calls of “%(function)s” did not return in time within the last hour.",
                one.times,
                function=one.name,
            )
            for one in hung
        )
    label, tone, icon = _chip(card, state, running, bool(notes))
    failed = bool(error) or state not in (AddonState.ACTIVE, AddonState.INACTIVE, AddonState.ACTIVATING)
    return CardView(
        card=card,
        signature=signature,
        label=label,
        tone=tone,
        icon=icon,
        sentences=tuple(filter(None, (*sentences, *notes))),
        statement=str(error.get("statement") or ""),
        detail=detail,
        use=use,
        health=day,
        has_health=bool(card.manifest.channels) and (bool(day) or card.wanted),
        fault=fault if running else None,
        stopping=_stopping(card, use),
        picture=picture,
        requests_waiting=waiting,
        events_failed=sum(one.failed for one in parked),
        events_waiting=sum(one.waiting for one in parked),
        has_form=running and bool(generation.manifests[slug].forms.desk),
        has_page=running and slug in generation.admin_pages,
        is_set_elsewhere=running and slug not in generation.admin_pages and bool(card.manifest.channels),
        may_stop=may_stop,
        may_activate=not running and card.state is not AddonState.ACTIVATING,
        may_deactivate=card.state is AddonState.ACTIVE or card.wanted,
        may_roll_back=card.previous_version is not None and card.state is not AddonState.ACTIVATING,
        activate_label=_activate_label(state, failed),
    )


def _stopping(card: Card, use: Use) -> str:
    accounts = ngettext(
        "Stops: %(num)s connected account neither receives nor sends. Its webhook "
        "addresses return 404, and its pages and scheduled jobs stop.",
        "Stops: %(num)s connected accounts neither receive nor send. Its webhook "
        "addresses return 404, and its pages and scheduled jobs stop.",
        use.accounts,
    )
    nobody = _(
        "Stops: its webhook addresses return 404, and its pages and scheduled jobs "
        "stop. No account is connected."
    )
    stays = _(
        "Kept: conversations, accounts, settings and tables. Activate the addon again to continue with them."
    )
    question = _("Deactivate %(name)s?", name=card.manifest.name)
    return f"{question}\n\n{accounts if use.accounts else nobody}\n{stays}"


def _activate_label(state: AddonState, failed: bool) -> str:
    if state in (AddonState.ACTIVE, AddonState.INACTIVE):
        return str(_("Try again") if failed else _("Activate"))
    return str(STATES[state].button)


def _chip(card: Card, state: AddonState, running: bool, noted: bool) -> tuple[str, str, str]:
    if card.operation is not None:
        return str(OPERATIONS[card.operation]), "warn", "wait"
    if state is AddonState.ACTIVE and running and noted:
        return _("Needs attention"), "warn", "alert"
    if state is AddonState.ACTIVE and not running:
        return _("Active, not running"), "warn", "alert"
    shown = STATES[state]
    return str(shown.label), shown.tone, shown.icon
