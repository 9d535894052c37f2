"""A generation: the contributions of all active addons, collected, checked and applied as a whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar, cast

import msgspec
import pluggy
import sqlalchemy as sa
from flask import Flask, current_app

from host import counters
from host.addons.package import store, trust
from host.addons.package.failures import AddonError, last_lines
from host.addons.package.manifest import Manifest, fit_problems
from host.addons.package.store import Release
from host.addons.running import catalogues, channel_names, contributions, loader
from host.addons.running import collect as collecting
from host.addons.running.contributions import Contribution, Kind
from host.addons.running.held_webhooks import Waiting
from host.addons.running.loader import LoadedRelease
from host.channels.directory import Directory, KnownChannel
from host.core import call_budget, db, marks
from host.core.call_budget import HungCallError
from host.core.call_budget.threads import run_apart
from host.core.config import ADDON_PREFIX, Config
from host.models.addons import Addon, AddonRelease, AddonState
from host.models.users import Counter
from host.sdk import settings
from host.sdk._forms import values as form_values
from host.sdk._forms.values import Forms
from host.sdk.api import ApiRoute
from host.sdk.i18n import noop
from host.sdk.pages import AdminPage
from host.sdk.webhooks import WebhookRoute

log = logging.getLogger(__name__)

T = TypeVar("T")


AppFactory = Callable[["Generation"], Flask]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Generation:
    """One immutable set of running addons and the app built with them.

    :param number: the value of the generation counter it was built for.
    :param contributions: contributions of every addon in it, by slug.
    :param directory: the channels of all of them, and their cards.
    :param webhooks: by full path, ``/addons/<slug>/<path>``.
    :param catalogues: slug -> the folder of an addon's translations, if readable.
    :param manifests: manifests of every addon in it.
    :param failures: slug -> one sentence, for each active addon that was left out.
    :param failure_states: slug -> the state that addon's card shows.
    :param failure_details: slug -> details for "Show the error".
    :param attention: slug -> sentences about a running addon: an unknown setting.
    :param public_paths: full paths of addons that need no login.
    :param waiting: by full path, webhooks of active addons that are not in it.
    """

    number: int
    plugins: pluggy.PluginManager
    contributions: tuple[Contribution, ...]
    directory: Directory
    webhooks: Mapping[str, WebhookRoute]
    admin_pages: Mapping[str, AdminPage]
    template_folders: Mapping[str, Path]
    static_folders: Mapping[str, Path]
    catalogues: Mapping[str, Path]
    manifests: Mapping[str, Manifest]
    failures: Mapping[str, str]
    failure_states: Mapping[str, AddonState]
    failure_details: Mapping[str, str]
    attention: Mapping[str, tuple[str, ...]]
    public_paths: frozenset[str]
    waiting: Mapping[str, Waiting]
    releases: Mapping[str, LoadedRelease] = field(repr=False)
    app: Flask = field(init=False, repr=False)

    def each(self, kind: Kind[T]) -> list[tuple[str, T]]:
        """Return everything of *kind* with the slug of the addon that contributed it."""
        return [(found.slug, item) for found in self.contributions for item in found.of(kind)]

    @property
    def api_routes(self) -> Sequence[tuple[str, ApiRoute]]:
        """The routes of the API that addons bring, each with the addon's slug."""
        return self.each(contributions.ROUTES)

    @property
    def names(self) -> Mapping[str, str]:
        """The name of each running addon, by slug."""
        return {slug: manifest.name for slug, manifest in self.manifests.items()}

    def call(self, slug: str, hook: str) -> list[object]:
        """Call *hook* of one addon.

        :raises AddonError: for anything it raises.
        """
        return collecting.call(self.plugins, self.manifests[slug], hook)

    def webhook(self, path: str) -> tuple[str, WebhookRoute, str | None] | None:
        """Return the addon, the route and the account segment that *path* names, or None."""
        found = named_by(self.webhooks, path)
        return None if found is None else (found[0].split("/", 3)[2], found[1], found[2])

    def waits_for(self, path: str) -> tuple[Waiting, str | None] | None:
        """Return the webhook that *path* would name if its addon ran, and the account segment, or None."""
        found = named_by(self.waiting, path) if self.waiting else None
        return None if found is None else (found[1], found[2])


class Host(Protocol):
    """The part of :class:`host.process.serving.HostApplication` that changes of addons need."""

    def generation(self) -> Generation: ...

    def refresh(self) -> Generation: ...

    def try_build(self, replace: Mapping[str, Release | None]) -> Generation: ...


def current_generation() -> Generation:
    """Return the generation this request runs on."""
    return cast(Generation, current_app.extensions["lobby.generation"])


def current_host() -> Host:
    """Return the application that answers this request."""
    return cast(Host, current_app.extensions["lobby.host"])


def named_by(routes: Mapping[str, T], path: str) -> tuple[str, T, str | None] | None:
    """Return the full path, route and account segment of *path* in any form; None if there is no route."""
    if path in routes:
        return path, routes[path], None
    if path.startswith("/webhooks/"):
        path = path.removesuffix(
            "/"
        )  # providers keep the URL as typed in their console, and don't follow redirects
    head, _, account = path.rpartition("/")
    if not account or not head:
        return None
    if head.startswith("/webhooks/"):
        prefix = f"/addons/{head.removeprefix('/webhooks/')}/"
        full = next((full for full in routes if full.startswith(prefix)), None)
        return None if full is None else (full, routes[full], account)
    return (head, routes[head], account) if head in routes else None


class DesiredState(msgspec.Struct, frozen=True):
    """The set of releases that should run, according to the database.

    :param number: the generation counter.
    :param releases: those that should run.
    :param addresses: the webhooks of every active addon, by full path, even if it cannot run.
    :param channels: the names and marks of channels that ran here, by key.
    """

    number: int
    releases: tuple[Release, ...]
    addresses: Mapping[str, Waiting]
    channels: Mapping[str, KnownChannel] = msgspec.field(default_factory=dict)


def asked(session: sa.orm.Session) -> DesiredState:
    """Return the desired state from the database."""
    number = session.scalar(sa.select(Counter.value).where(Counter.name == counters.GENERATION)) or 0
    query = (
        sa.select(Addon, AddonRelease)
        .join(AddonRelease, Addon.release_id == AddonRelease.id)
        .where(sa.or_(Addon.state == AddonState.ACTIVE, Addon.wanted))
        .order_by(Addon.slug)
    )
    releases, addresses = [], {}
    for addon, release in session.execute(query):
        if addon.state == AddonState.ACTIVE:
            releases.append(store.as_release(release))
        for one in addon.webhooks:
            full = f"/addons/{addon.slug}/{one['path']}"
            addresses[full] = Waiting(addon.slug, full, int(one["max_body"]))
    return DesiredState(number, tuple(releases), addresses, channel_names.remembered(session))


def build(
    config: Config,
    *,
    create_app: AppFactory | None,
    number: int | None = None,
    replace: Mapping[str, Release | None] | None = None,
    off: Mapping[str, AddonError] | None = None,
) -> Generation:
    """Build the generation that the database defines.

    An addon that fails is left out, with its reason in ``failures``; the others run.

    :param create_app: creates the Flask app; None if no pages are needed (commands).
    :param number: the generation's number; default: the current counter.
    :param replace: releases to use instead of the database's, by slug (None: leave it out); used to try a
        change before making it.
    :param off: addons this process does not run, with the reason of each.
    """
    with db.read() as session:
        now = asked(session)
    wanted = {release.slug: release for release in now.releases}
    for slug, release in (replace or {}).items():
        wanted.pop(slug, None)
        if release is not None:
            wanted[slug] = release
    if config.safe_mode:
        wanted = {}
    without = dict(off or {})
    while True:
        generation = _collect(config, wanted, without, now, now.number if number is None else number)
        if create_app is None:
            return generation
        try:
            app = create_app(generation)
        except HungCallError as error:
            log.error("the app could not be built; trying without %s", error.slug)
            without = {**without, error.slug: hung(error)}
            continue
        except Exception as error:
            suspects = {slug for slug, _ in generation.each(contributions.BLUEPRINTS)} & set(wanted) - set(
                without
            )
            if not suspects:
                raise
            log.exception("the app could not be built; trying without %s", ", ".join(sorted(suspects)))
            failure = AddonError(
                noop("Its pages could not be added."),
                state=AddonState.QUARANTINED,
                detail=last_lines(error),
            )
            without = {**without, **dict.fromkeys(suspects, failure)}
            continue
        # Set once, here: the app refers to its generation, and the generation to its app.
        object.__setattr__(generation, "app", app)
        return generation


def build_one(config: Config, release: Release) -> Generation:
    """Build *release* alone, without pages and without reading the database.

    :raises AddonError: if *release* is left out.
    """
    slug = release.slug
    generation = _collect(config, {slug: release}, {}, DesiredState(0, (release,), {}), 0)
    if slug in generation.failures:
        state, detail = generation.failure_states[slug], generation.failure_details[slug]
        raise AddonError(generation.failures[slug], state=state, detail=detail)
    return generation


def build_alone(config: Config, create_app: AppFactory) -> Generation:
    """Build the host without addons, without reading the database."""
    generation = _collect(config, {}, {}, DesiredState(0, (), {}), 0)
    object.__setattr__(generation, "app", create_app(generation))
    return generation


def _collect(
    config: Config,
    wanted: Mapping[str, Release],
    without: Mapping[str, AddonError],
    now: DesiredState,
    number: int,
) -> Generation:
    builder = _Builder(config)
    for slug in sorted(wanted):
        if slug in without:
            builder.leave_out(slug, without[slug])
        else:
            builder.add_installed(wanted[slug])
    return builder.finish(number, now)


class _Builder:
    """A collector of contributions, addon by addon. An addon is added only after all of it was checked."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.manager = collecting.new_manager()
        self.added: list[tuple[LoadedRelease, Contribution]] = []
        self.failures: dict[str, AddonError] = {}
        self.attention: dict[str, tuple[str, ...]] = {}
        listen = "" if config.smtp_listen is None else ":".join(map(str, config.smtp_listen))
        own = {"public_url": config.public_url, "smtp_listen": listen}
        settings.provide("", {**own, "smtp_authserv_id": config.smtp_authserv_id})

    def add_installed(self, release: Release) -> None:
        """Add an installed addon, unpacking it first if this machine does not have it."""

        def load() -> LoadedRelease:
            problems = fit_problems(release.manifest)
            if problems:
                raise AddonError(" ".join(problems), state=AddonState.INCOMPATIBLE)
            standing = trust.require(self.config, release)
            folder = store.materialise(self.config.data, release)
            if standing.key_id:
                store.check_signature(folder, release)
            return loader.load(release.manifest, folder, release.sha256, release.files)

        self._add(release.manifest, load)

    def _add(self, manifest: Manifest, load: Callable[[], LoadedRelease]) -> None:
        slug = manifest.slug
        try:
            settings.provide(slug, self._settings(manifest))
            form_values.declare(slug, forms_of(manifest))
            # In a separate thread: the builder holds locks, which hanging code must not keep.
            loaded, found = run_apart(lambda: self._collect(manifest, load), f"addon {slug}")
            try:
                self._check_neighbours(found)
            except AddonError:
                self.manager.unregister(name=slug)
                raise
        except AddonError as error:
            self.leave_out(slug, error)
        except HungCallError as error:
            if self.manager.has_plugin(slug):
                self.manager.unregister(name=slug)
            self.leave_out(slug, hung(error))
        except (OSError, sa.exc.SQLAlchemyError) as error:
            if isinstance(error, sa.exc.SQLAlchemyError) and db.may_come_back(error):
                raise  # the addon is not at fault; the generation is rebuilt
            self.leave_out(slug, AddonError(noop("Its files could not be read."), detail=last_lines(error)))
        else:
            self.added.append((loaded, found))

    def _collect(
        self, manifest: Manifest, load: Callable[[], LoadedRelease]
    ) -> tuple[LoadedRelease, Contribution]:
        slug = manifest.slug
        with (
            marks.marked(marks.label(slug, "import")),
            call_budget.watched(slug, manifest.version, "import"),
        ):
            loaded = load()
        collecting.register(self.manager, slug, loaded.plugin)
        try:
            found = collecting.collect(self.manager, manifest, loaded.folder)
        except AddonError:
            self.manager.unregister(name=slug)
            raise
        return loaded, collecting.counted(found, manifest.version)

    def leave_out(self, slug: str, error: AddonError) -> None:
        """Continue without the addon *slug*, and remember the reason."""
        log.warning("addon %s is left out: %s %s", slug, error.sentence, error.detail)
        self.failures[slug] = error

    def _settings(self, manifest: Manifest) -> dict[str, str]:
        given = f"{ADDON_PREFIX}{manifest.slug.upper()}_"
        unknown = [
            name
            for name in sorted(self.config.addon_values)
            if name.startswith(given) and name.removeprefix(given).lower() not in manifest.settings
        ]
        if unknown:
            self.attention[manifest.slug] = tuple(
                f"{name} is set, but the addon has no such setting." for name in unknown
            )
        values = {}
        for name, setting in manifest.settings.items():
            value = self.config.addon_setting(manifest.slug, name)
            values[name] = setting.default if value is None else value
        return values

    def _check_neighbours(self, found: Contribution) -> None:
        taken = {adapter.key for _, other in self.added for adapter in other.of(contributions.CHANNELS)}
        for adapter in found.of(contributions.CHANNELS):
            if adapter.key in taken:
                raise AddonError(f"Another addon already brings the channel {adapter.key!r}.")

    def finish(self, number: int, now: DesiredState) -> Generation:
        contributed = tuple(found for _, found in self.added)
        releases = {loaded.slug: loaded for loaded, _ in self.added}
        words = _folders(releases, catalogues.FOLDER)
        unread = {slug: why for slug, folder in words.items() if (why := catalogues.problem(folder))}
        for slug, why in unread.items():
            self.attention[slug] = (*self.attention.get(slug, ()), why)
        return Generation(
            number=number,
            plugins=self.manager,
            contributions=contributed,
            directory=Directory(
                [adapter for found in contributed for adapter in found.of(contributions.CHANNELS)],
                [card for found in contributed for card in found.of(contributions.CARDS)],
                [one for found in contributed for one in found.of(contributions.CONDITIONS)],
                [one for found in contributed for one in found.of(contributions.ACTIONS)],
                [one for found in contributed for one in found.of(contributions.TOOLS)],
                [one for found in contributed for one in found.of(contributions.PANELS)],
                [one for found in contributed for one in found.of(contributions.COMPOSER_ACTIONS)],
                [one for found in contributed for one in found.of(contributions.REPORT_SECTIONS)],
                now.channels,
                [one for found in contributed for one in found.of(contributions.LISTENERS)],
            ),
            webhooks={
                f"/addons/{found.slug}/{route.path}": route
                for found in contributed
                for route in found.of(contributions.WEBHOOKS)
            },
            admin_pages={
                found.slug: page for found in contributed for page in found.of(contributions.ADMIN_PAGES)
            },
            template_folders=_folders(releases, "templates"),
            static_folders=_folders(releases, "static"),
            catalogues={slug: folder for slug, folder in words.items() if slug not in unread},
            manifests={slug: release.manifest for slug, release in releases.items()},
            failures={slug: error.sentence for slug, error in self.failures.items()},
            failure_states={slug: error.state for slug, error in self.failures.items()},
            failure_details={slug: error.detail for slug, error in self.failures.items()},
            attention=self.attention,
            public_paths=frozenset(
                path for release in releases.values() for path in release.manifest.public_paths
            ),
            waiting={path: one for path, one in now.addresses.items() if one.slug not in releases},
            releases=releases,
        )


def forms_of(manifest: Manifest) -> Forms:
    """Return the settings forms that *manifest* declares."""
    return Forms(manifest.forms.workspace or None, manifest.forms.desk or None)


def use_forms(generation: Generation) -> None:
    """Let the SDK return settings by the forms of the addons in *generation*."""
    form_values.use({slug: forms_of(manifest) for slug, manifest in generation.manifests.items()})


def hung(error: HungCallError) -> AddonError:
    """Return the error for an addon whose code hung while a generation was built."""
    return AddonError(
        noop("Its code hung while starting."),
        state=AddonState.QUARANTINED,
        detail=str(error),
    )


def _folders(releases: Mapping[str, LoadedRelease], name: str) -> dict[str, Path]:
    found = {slug: release.folder / name for slug, release in releases.items()}
    return {slug: folder for slug, folder in found.items() if folder.is_dir()}
