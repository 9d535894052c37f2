"""The kinds of contributions of addons, in one table.

:data:`KINDS` has an entry for each hook that contributes something. The entry defines what is collected and
    checked, which calls are counted, what a generation contains, what the probe reports, and what the page of
    hooks and ``lobby addon check`` show. A new kind needs an entry here, its hook and its type in
    ``host.sdk``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from flask import Blueprint
from flask_babel import lazy_gettext as _l

from host.addons.metrics.in_process import F
from host.addons.package.manifest import Manifest
from host.addons.running import scratch_app
from host.channels import tool_schemas
from host.core.backports.values import replace
from host.events.catalogue import KINDS as EVENTS
from host.events.kinds.rules import RULE_CALLED
from host.sdk.api import ApiRoute, ApiScope, ApiStruct
from host.sdk.cards import SettingsCard, SettingsCheck
from host.sdk.channel import ChannelAdapter, ChannelMark
from host.sdk.events import Listener
from host.sdk.pages import AdminPage, Job, Migrations
from host.sdk.panels import ComposerAction, Icon, Panel, Place
from host.sdk.reports import ReportSection
from host.sdk.rules import AssistantTool, RuleAction, RuleCondition
from host.sdk.webhooks import Receiver, WebhookRoute

T = TypeVar("T")

MAX_WEBHOOK_BODY = 16 * 1024 * 1024

MOST_LISTENED = 200
"""Most events a listener gets at once."""
LONGEST_LISTENER = 55
"""Longest name of a listener: with a prefix it is the key of its position."""

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_RULE_PART = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\.[a-z][a-z0-9_]{0,31}")
_PATH = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}(/[a-z0-9][a-z0-9_.-]{0,62}){0,4}")


class Contribution(msgspec.Struct, frozen=True):
    """Everything one addon contributes.

    :param by_hook: the results of each hook of :data:`KINDS`.
    """

    slug: str
    by_hook: Mapping[str, tuple[Any, ...]]

    def of(self, kind: Kind[T]) -> tuple[T, ...]:
        """Return its contributions of *kind*."""
        return self.by_hook.get(kind.hook, ())


class Count(Protocol):
    """Wrap a function so that its calls are counted under a name."""

    def __call__(self, what: str, function: F, /) -> F: ...


Check = Callable[[Manifest, Contribution, Path], Iterator[str]]
"""``check(manifest, contribution, folder)``: yield the mistakes, each as the rest of a sentence."""


def _no_problems(_manifest: Manifest, _found: Contribution, _folder: Path) -> Iterator[str]:
    return iter(())


def _no_names(_manifest: Manifest, _item: object) -> Collection[str]:
    return ()


def _not_counted(item: T, _count: Count) -> T:
    return item


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of contribution.

    :param hook: its hook in :mod:`host.sdk.hookspecs`.
    :param type: the hook returns a list of these, or one if *single*.
    :param about: the purpose of the hook, in the reader's language.
    :param noun: the word for its contributions in a list of them; empty: they are not listed.
    :param check: its rules. All kinds are collected before the first is checked.
    :param names: returns the name of a contribution in the probe's report.
    :param declared: the part of ``addon.toml`` that must declare it; empty: none.
    :param counted: returns a contribution with its functions' calls counted.
    :param counted_as: the names under which its functions are counted, or their first words.
    """

    hook: str
    type: type
    about: object
    noun: object = ""
    single: bool = False
    check: Check = _no_problems
    names: Callable[[Manifest, T], Collection[str]] = _no_names
    declared: str = ""
    counted: Callable[[T, Count], T] = _not_counted
    counted_as: Collection[str] = ()


ADAPTER_METHODS = tuple(
    name for name, value in vars(ChannelAdapter).items() if callable(value) and not name.startswith("_")
)


def _check_channels(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    keys = set()
    for adapter in found.of(CHANNELS):
        key = getattr(adapter, "key", None)
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            yield f"the channel key {key!r} is not usable"
        elif key not in manifest.channels:
            yield f"the channel {key!r} is not declared in addon.toml"
        elif key in keys:
            yield f"the channel {key!r} comes twice"
        elif not getattr(adapter, "label", "") or not isinstance(getattr(adapter, "mark", None), ChannelMark):
            yield f"the channel {key!r} has no label or no mark"
        elif getattr(adapter, "capabilities", None) is None:
            yield f"the channel {key!r} declares no capabilities"
        keys.add(key)


def _count_adapter(adapter: ChannelAdapter, count: Count) -> ChannelAdapter:
    # Set on the object itself, so that its class stays the same.
    for name in ADAPTER_METHODS:
        with suppress(AttributeError, TypeError):  # calls of an adapter without a __dict__ are not counted
            setattr(adapter, name, count(name, getattr(adapter, name)))
    return adapter


CHANNELS: Kind[ChannelAdapter] = Kind(
    "register_channels",
    ChannelAdapter,
    _l("Channels the addon adds."),
    noun=_l("channels"),
    check=_check_channels,
    names=lambda _manifest, adapter: (adapter.key,),
    declared="channels",
    counted=_count_adapter,
    counted_as=ADAPTER_METHODS,
)


def _check_channel_of(kind: Kind[Any], found: Contribution) -> Iterator[str]:
    keys = {adapter.key for adapter in found.of(CHANNELS)}
    for item in found.of(kind):
        if item.channel not in keys:
            yield f"{item.channel!r} is not a channel of this addon"


_TAKEN_FIELDS = frozenset({"confirmation_code", "csrf_token", "move_account", "password"})
"""Field names that Lobby uses in the same form; ``password`` is that of the signed-in person."""


def _check_cards(_manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    cards = found.of(CARDS)
    yield from _check_channel_of(CARDS, found)
    if len({card.channel for card in cards}) < len(cards):
        yield "a channel has two cards"
    for card in cards:
        fields = (*card.fields, *(card.workspace.fields if card.workspace is not None else ()))
        for one in fields:
            if one.name in _TAKEN_FIELDS:
                yield f"a field cannot be called {one.name!r}: the desk's own forms have one"


def _count_card(card: SettingsCard, count: Count) -> SettingsCard:
    return replace(
        card,
        connect=count("connect", card.connect),
        status=count("card status", card.status),
        statuses=None if card.statuses is None else count("card status", card.statuses),
        disconnect=count("disconnect", card.disconnect),
        actions=tuple(replace(one, run=count(f"action {one.name}", one.run)) for one in card.actions),
    )


CARDS: Kind[SettingsCard] = Kind(
    "register_settings_cards",
    SettingsCard,
    _l("Ways to connect an account."),
    noun=_l("ways to connect"),
    check=_check_cards,
    names=lambda _manifest, card: (card.channel,),
    counted=_count_card,
    counted_as=("connect", "card status", "disconnect", "action"),
)


MAX_SETTINGS_SECONDS = 10.0


def _check_settings_checks(_manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    for one in found.of(SETTINGS_CHECKS):
        if not 0 < one.seconds <= MAX_SETTINGS_SECONDS:
            yield f"wants {one.seconds} seconds, of at most {MAX_SETTINGS_SECONDS:g}"


SETTINGS_CHECKS: Kind[SettingsCheck] = Kind(
    "register_settings_check",
    SettingsCheck,
    _l("Check of the settings that owners fill in."),
    single=True,
    check=_check_settings_checks,
    counted=lambda one, count: replace(one, run=count("settings check", one.run)),
    counted_as=("settings check",),
)


def _check_webhooks(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    routes = found.of(WEBHOOKS)
    yield from _check_channel_of(WEBHOOKS, found)
    paths = set()
    for route in routes:
        if not _PATH.fullmatch(route.path) or route.path.startswith("static"):
            yield f"the path {route.path!r} is not usable"
        elif route.path not in manifest.declares.routes:
            yield f"{route.path!r} is not among the declared routes"
        elif route.path in paths:
            yield f"{route.path!r} comes twice"
        elif not 0 < route.max_body <= MAX_WEBHOOK_BODY:
            yield f"{route.path!r} wants bodies of up to {route.max_body}"
        paths.add(route.path)


def _count_webhook(route: WebhookRoute, count: Count) -> WebhookRoute:
    return replace(
        route,
        authenticate=count("authenticate", route.authenticate),
        verify=None if route.verify is None else count("verify", route.verify),
    )


WEBHOOKS: Kind[WebhookRoute] = Kind(
    "register_webhook_routes",
    WebhookRoute,
    _l("Public webhook addresses."),
    noun=_l("webhook addresses"),
    check=_check_webhooks,
    names=lambda manifest, route: (manifest.prefix + route.path,),
    counted=_count_webhook,
    counted_as=("authenticate", "verify"),
)


def _check_receivers(_manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    yield from _check_channel_of(RECEIVERS, found)


RECEIVERS: Kind[Receiver] = Kind(
    "register_receivers",
    Receiver,
    _l("Background listeners."),
    noun=_l("background listeners"),
    check=_check_receivers,
    names=lambda _manifest, receiver: (receiver.name,),
    counted=lambda one, count: replace(one, start=count(f"receiver {one.name}", one.start)),
    counted_as=("receiver",),
)


def _check_migrations(_manifest: Manifest, found: Contribution, folder: Path) -> Iterator[str]:
    for migrations in found.of(MIGRATIONS):
        directory = migrations.directory.resolve()
        if not directory.is_relative_to(folder.resolve()) or not (directory / "versions").is_dir():
            yield "the folder has no versions/, or is not inside the addon"


MIGRATIONS: Kind[Migrations] = Kind(
    "register_migrations",
    Migrations,
    _l("Location of its database migrations."),
    single=True,
    check=_check_migrations,
)


def _check_admin_pages(manifest: Manifest, found: Contribution, folder: Path) -> Iterator[str]:
    pages = found.of(ADMIN_PAGES)
    if len(pages) > 1:
        yield "returned more than one page"
    for page in pages:
        name = page.template
        if not name.startswith(f"{manifest.slug}/") or not (folder / "templates" / name).is_file():
            yield f"there is no template {name!r} in the addon's templates/"


ADMIN_PAGES: Kind[AdminPage] = Kind(
    "register_admin_pages",
    AdminPage,
    _l("Page opened by the Settings button on its card."),
    noun=_l("settings page"),
    check=_check_admin_pages,
    names=lambda _manifest, page: (page.template,),
    counted=lambda page, count: replace(page, context=count("admin page", page.context)),
    counted_as=("admin page",),
)


def _check_blueprints(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    blueprints = found.of(BLUEPRINTS)
    if len({blueprint.name for blueprint in blueprints}) < len(blueprints):
        yield "two blueprints have the same name"
    webhooks = {manifest.prefix + route.path for route in found.of(WEBHOOKS)}
    for blueprint in blueprints:
        if blueprint.name != manifest.slug and not blueprint.name.startswith(f"{manifest.slug}_"):
            yield f"the name {blueprint.name!r} must be {manifest.slug}_..."
        for rule in scratch_app.rules(manifest, blueprint):
            if rule in webhooks:
                yield f"{rule} is a webhook route already"


BLUEPRINTS: Kind[Blueprint] = Kind(
    "register_blueprints",
    Blueprint,
    _l("Its own pages."),
    noun=_l("pages"),
    check=_check_blueprints,
    names=scratch_app.rules,
    counted_as=("page",),  # wrapped by the app of the generation, once its views are known
)


def _check_jobs(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    jobs = found.of(JOBS)
    for job in jobs:
        if job.name not in manifest.declares.jobs:
            yield f"the job {job.name!r} is not declared in addon.toml"
        if job.every.total_seconds() < 1:
            yield f"the job {job.name!r} repeats more often than every second"
    if len({job.name for job in jobs}) < len(jobs):
        yield "two jobs have the same name"


JOBS: Kind[Job] = Kind(
    "register_jobs",
    Job,
    _l("Scheduled jobs, such as renewing tokens."),
    noun=_l("scheduled jobs"),
    check=_check_jobs,
    names=lambda _manifest, job: (job.name,),
    declared="jobs",
    counted=lambda job, count: replace(job, run=count(f"job {job.name}", job.run)),
    counted_as=("job",),
)


def _check_of_rules(kind: Kind[Any], manifest: Manifest, found: Contribution) -> Iterator[str]:
    keys = {adapter.key for adapter in found.of(CHANNELS)}
    for item in found.of(kind):
        if item.channel is not None and item.channel not in keys:
            yield f"{item.channel!r} is not a channel of this addon"
    yield from _check_titled(kind, manifest, found)


def _check_names(kind: Kind[Any], manifest: Manifest, found: Contribution) -> Iterator[str]:
    names = [item.name for item in found.of(kind)]
    for name in names:
        if not _RULE_PART.fullmatch(name) or not name.startswith(f"{manifest.slug}."):
            yield f"the name {name!r} must be {manifest.slug}.<word>"
    if len(set(names)) < len(names):
        yield "two have the same name"


def _check_titled(kind: Kind[Any], manifest: Manifest, found: Contribution) -> Iterator[str]:
    yield from _check_names(kind, manifest, found)
    if any(not getattr(item, "title", getattr(item, "label", "")) for item in found.of(kind)):
        yield "one has no title"


def _check_conditions(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    yield from _check_of_rules(CONDITIONS, manifest, found)


def _check_actions(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    yield from _check_of_rules(ACTIONS, manifest, found)


def _count_condition(one: RuleCondition, count: Count) -> RuleCondition:
    what = f"condition {one.name}"
    facts = None if one.facts is None else count(what, one.facts)
    return replace(one, holds=count(what, one.holds), facts=facts)


CONDITIONS: Kind[RuleCondition] = Kind(
    "register_conditions",
    RuleCondition,
    _l("Rule conditions."),
    noun=_l("rule conditions"),
    check=_check_conditions,
    names=lambda _manifest, one: (one.name,),
    counted=_count_condition,
    counted_as=("condition",),
)

ACTIONS: Kind[RuleAction] = Kind(
    "register_actions",
    RuleAction,
    _l("Rule actions."),
    noun=_l("rule actions"),
    check=_check_actions,
    names=lambda _manifest, one: (one.name,),
    counted=lambda one, count: replace(one, plan=count(f"rule {one.name}", one.plan)),
    counted_as=("rule",),
)


def _check_tools(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    yield from _check_of_rules(TOOLS, manifest, found)
    for one in found.of(TOOLS):
        if not one.about:
            yield f"the tool {one.name!r} does not say when it is used"
        if not tool_schemas.is_usable(one.parameters):
            yield f"the parameters of {one.name!r} are no JSON schema of an object"


TOOLS: Kind[AssistantTool] = Kind(
    "register_tools",
    AssistantTool,
    _l("Assistant tools."),
    noun=_l("assistant tools"),
    check=_check_tools,
    names=lambda _manifest, one: (one.name,),
    counted=lambda one, count: replace(one, use=count(f"tool {one.name}", one.use)),
    counted_as=("tool",),
)

MAX_PANEL_SECONDS = 10.0


def _check_seconds(kind: Kind[Any], found: Contribution) -> Iterator[str]:
    for one in found.of(kind):
        if not 0 < one.seconds <= MAX_PANEL_SECONDS:
            yield f"{one.name!r} wants {one.seconds} seconds, of at most {MAX_PANEL_SECONDS:g}"


def _check_panels(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    yield from _check_titled(PANELS, manifest, found)
    yield from _check_seconds(PANELS, found)
    for one in found.of(PANELS):
        if not one.places or not set(one.places) <= set(Place):
            yield f"{one.name!r} has no place, or one that Lobby does not have"


def _check_composer_actions(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    yield from _check_titled(COMPOSER_ACTIONS, manifest, found)
    yield from _check_seconds(COMPOSER_ACTIONS, found)
    for one in found.of(COMPOSER_ACTIONS):
        if one.icon not in set(Icon):
            yield f"{one.name!r} has an icon that Lobby does not have"


def _count_panel(panel: Panel, count: Count) -> Panel:
    return replace(
        panel,
        render=count(f"panel {panel.name}", panel.render),
        press=None if panel.press is None else count(f"panel {panel.name}", panel.press),
    )


PANELS: Kind[Panel] = Kind(
    "register_panels",
    Panel,
    _l("Panels beside conversations and on contact pages."),
    noun=_l("panels"),
    check=_check_panels,
    names=lambda _manifest, one: (one.name,),
    counted=_count_panel,
    counted_as=("panel",),
)

COMPOSER_ACTIONS: Kind[ComposerAction] = Kind(
    "register_composer_actions",
    ComposerAction,
    _l("Buttons in the composer of replies."),
    noun=_l("composer buttons"),
    check=_check_composer_actions,
    names=lambda _manifest, one: (one.name,),
    counted=lambda one, count: replace(one, run=count(f"composer {one.name}", one.run)),
    counted_as=("composer",),
)


def _check_report_sections(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    yield from _check_titled(REPORT_SECTIONS, manifest, found)
    yield from _check_seconds(REPORT_SECTIONS, found)


REPORT_SECTIONS: Kind[ReportSection] = Kind(
    "register_report_sections",
    ReportSection,
    _l("Sections of the Reports page."),
    noun=_l("report sections"),
    check=_check_report_sections,
    names=lambda _manifest, one: (one.name,),
    counted=lambda one, count: replace(one, read=count(f"section {one.name}", one.read)),
    counted_as=("section",),
)

_API_PATH = re.compile(r"[a-z][a-z0-9-]{0,40}(/[a-z][a-z0-9-]{0,40}){0,3}")
_API_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


def _check_routes(_manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    routes = found.of(ROUTES)
    for one in routes:
        if not _API_PATH.fullmatch(one.path) or not _API_NAME.fullmatch(one.name):
            yield f"the path {one.path!r} or the name {one.name!r} is not usable"
        if one.scope not in set(ApiScope) or (one.method == "GET") != str(one.scope).endswith(":read"):
            yield f"{one.name!r} needs a scope to read for GET, and to write for other methods"
        kinds: tuple[object, ...] = (one.query, one.body, one.answer)
        for kind in filter(None, kinds):
            if not (isinstance(kind, type) and issubclass(kind, ApiStruct)):
                yield f"{one.name!r} has a query, body or answer that is no ApiStruct"
    if len({(one.method, one.path) for one in routes}) < len(routes):
        yield "two have the same method and path"
    if len({one.name for one in routes}) < len(routes):
        yield "two have the same name"


ROUTES: Kind[ApiRoute] = Kind(
    "register_routes",
    ApiRoute,
    _l("Routes of the API."),
    noun=_l("API routes"),
    check=_check_routes,
    names=lambda manifest, one: (f"{one.method} /api/v1/addons/{manifest.slug}/{one.path}",),
    counted=lambda one, count: replace(one, run=count(f"route {one.name}", one.run)),
    counted_as=("route",),
)


def _check_listeners(manifest: Manifest, found: Contribution, _folder: Path) -> Iterator[str]:
    yield from _check_names(LISTENERS, manifest, found)
    for one in found.of(LISTENERS):
        if len(one.name) > LONGEST_LISTENER:
            yield f"the name {one.name!r} has more than {LONGEST_LISTENER} characters"
        if isinstance(one.events, str) or not one.events:
            yield f"{one.name!r} names no events"
            continue
        for kind in one.events:
            if kind not in EVENTS or kind == RULE_CALLED:  # which is for one webhook endpoint alone
                yield f"{one.name!r} listens to {kind!r}, which is no event of docs/events.md"
        if not 1 <= one.batch <= MOST_LISTENED:
            yield f"{one.name!r} wants {one.batch} events at once; 1 to {MOST_LISTENED} are possible"
        parts = {"contacts" if kind.startswith("contact.") else "conversations" for kind in one.events}
        for part in sorted(parts - set(manifest.declares.reads)):
            yield f'{one.name!r} needs "{part}" among the reads of [declares] in addon.toml'


LISTENERS: Kind[Listener] = Kind(
    "register_listeners",
    Listener,
    _l("Listeners of events of the desk."),
    noun=_l("event listeners"),
    check=_check_listeners,
    names=lambda _manifest, one: (one.name,),
    counted=lambda one, count: replace(
        one,
        handle=count(f"listener {one.name}", one.handle),
        writes_to=one.writes_to and count(f"listener {one.name}", one.writes_to),
    ),
    counted_as=("listener",),
)

KINDS: tuple[Kind[Any], ...] = (
    CHANNELS,
    CARDS,
    SETTINGS_CHECKS,
    WEBHOOKS,
    RECEIVERS,
    MIGRATIONS,
    ADMIN_PAGES,
    BLUEPRINTS,
    JOBS,
    CONDITIONS,
    ACTIONS,
    TOOLS,
    PANELS,
    COMPOSER_ACTIONS,
    REPORT_SECTIONS,
    ROUTES,
    LISTENERS,
)
"""All kinds in the order of :mod:`host.sdk.hookspecs`, in which they are collected, checked and shown."""

NOTICES: dict[str, object] = {
    "addon_activated": _l("Called once after activation."),
    "addon_deactivated": _l("Called once after deactivation."),
}
"""The hooks that contribute nothing, with their purpose."""

ABOUT: Mapping[str, object] = {kind.hook: kind.about for kind in KINDS} | NOTICES
"""Every hook, in the order of :mod:`host.sdk.hookspecs`, with its purpose, in the reader's language."""

_HOOKS = {name: kind.hook for kind in KINDS for name in kind.counted_as}


def hook_of(what: str) -> str:
    """Return the hook that contributed the function counted as *what*; *what* itself if it is a hook."""
    return _HOOKS.get(what) or _HOOKS.get(what.partition(" ")[0], what)
