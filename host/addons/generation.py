"""A generation: what the active addons contribute, collected, checked and applied as a whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pluggy
import sqlalchemy as sa
from flask import Blueprint, Flask

from host import counters, db
from host.accounts.models import Counter
from host.addons import collect as collecting
from host.addons import loader, store, trust, watching
from host.addons.collect import Contribution
from host.addons.failures import AddonError, last_lines
from host.addons.loader import LoadedRelease
from host.addons.manifest import Manifest, ManifestError, fit_problems
from host.addons.manifest import read as read_manifest
from host.addons.models import Addon, AddonRelease, AddonState
from host.addons.parking import Waiting
from host.addons.store import Release
from host.channels.directory import Directory
from host.config import ADDON_PREFIX, Config
from host.sdk import settings
from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter
from host.sdk.i18n import noop
from host.sdk.pages import AdminPage, Job
from host.sdk.webhooks import Receiver, WebhookRoute

if TYPE_CHECKING:
    from host.services import Services

log = logging.getLogger(__name__)

T = TypeVar("T")

BUILTIN = Path(__file__).resolve().parent.parent / "builtin"

AppFactory = Callable[[Config, "Generation", "Services"], Flask]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Generation:
    """One immutable set of running addons and the app built with them.

    :param number: the counter it was built for.
    :param webhooks: by full path, ``/addons/<slug>/<path>``.
    :param manifests: of every addon in it, built-in ones too.
    :param failures: slug -> one sentence, for each active addon that was left out.
    :param failure_states: slug -> what that addon's card says.
    :param failure_details: slug -> more, for "Show the error".
    :param attention: slug -> sentences about a running addon: a setting it does not know.
    :param public_paths: full paths of addons that answer without a login.
    :param waiting: by full path, webhooks of addons that are switched on and not in it.
    """

    number: int
    plugins: pluggy.PluginManager
    directory: Directory
    webhooks: Mapping[str, WebhookRoute]
    receivers: tuple[tuple[str, Receiver], ...]
    jobs: tuple[tuple[str, Job], ...]
    admin_pages: Mapping[str, AdminPage]
    blueprints: tuple[tuple[str, Blueprint], ...]
    template_folders: Mapping[str, Path]
    static_folders: Mapping[str, Path]
    manifests: Mapping[str, Manifest]
    failures: Mapping[str, str]
    failure_states: Mapping[str, AddonState]
    failure_details: Mapping[str, str]
    attention: Mapping[str, tuple[str, ...]]
    public_paths: frozenset[str]
    waiting: Mapping[str, Waiting]
    releases: Mapping[str, LoadedRelease] = field(repr=False)
    app: Flask = field(init=False, repr=False)

    def call(self, slug: str, hook: str) -> list[object]:
        """Call *hook* of one addon.

        :raises AddonError: for whatever it raises.
        """
        return collecting.call(self.plugins, self.manifests[slug], hook)

    def webhook(self, path: str) -> tuple[str, WebhookRoute, str | None] | None:
        """Return the addon, the route and the account segment that *path* names, or None."""
        found = _at(self.webhooks, path)
        return None if found is None else (found[0].split("/", 3)[2], found[1], found[2])

    def waits_for(self, path: str) -> tuple[Waiting, str | None] | None:
        """Return the webhook that *path* would be if its addon ran, and the account segment, or None."""
        found = _at(self.waiting, path) if self.waiting else None
        return None if found is None else (found[1], found[2])


def _at(routes: Mapping[str, T], path: str) -> tuple[str, T, str | None] | None:
    """Return full path, route and account segment that *path* names, in any of the forms it may have."""
    if path in routes:
        return path, routes[path], None
    head, _, account = path.rpartition("/")
    if not account or not head:
        return None
    if head.startswith("/webhooks/"):
        prefix = f"/addons/{head.removeprefix('/webhooks/')}/"
        full = next((full for full in routes if full.startswith(prefix)), None)
        return None if full is None else (full, routes[full], account)
    return (head, routes[head], account) if head in routes else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the database asks for.

    :param number: the generation counter.
    :param releases: those that should run.
    :param addresses: the webhooks of every addon that is switched on, by full path, whether it can run or
        not.
    """

    number: int
    releases: tuple[Release, ...]
    addresses: Mapping[str, Waiting]


def asked(session: sa.orm.Session) -> Asked:
    """Return what the database asks for now."""
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
    return Asked(number, tuple(releases), addresses)


def build(
    config: Config,
    services: Services | None,
    *,
    create_app: AppFactory | None,
    number: int | None = None,
    replace: Mapping[str, Release | None] | None = None,
) -> Generation:
    """Build the generation the database asks for.

    An addon that fails is left out, its reason in ``failures``; the others go on.

    :param create_app: makes the Flask app; None where no page will be asked for (commands).
    :param number: what the generation is for; default: the counter as it stands.
    :param replace: releases to use instead of the database's, by slug (None: without it); for trying a change
        before it is made.
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
    without: dict[str, AddonError] = {}
    while True:
        generation = _collect(config, wanted, without, now, now.number if number is None else number)
        if create_app is None or services is None:
            return generation
        try:
            app = create_app(config, generation, services)
        except Exception as error:
            suspects = {slug for slug, _ in generation.blueprints} & set(wanted) - set(without)
            if not suspects:
                raise
            log.exception("the app could not be built; trying without %s", ", ".join(sorted(suspects)))
            failure = AddonError(
                noop("The pages it brings could not be added."),
                state=AddonState.QUARANTINED,
                detail=last_lines(error),
            )
            without = {**without, **dict.fromkeys(suspects, failure)}
            continue
        # Set once, here: the app refers to its generation, and the generation to its app.
        object.__setattr__(generation, "app", app)
        return generation


def _collect(
    config: Config,
    wanted: Mapping[str, Release],
    without: Mapping[str, AddonError],
    now: Asked,
    number: int,
) -> Generation:
    builder = _Builder(config)
    builder.add_builtin()
    for slug in sorted(wanted):
        if slug in without:
            builder.leave_out(slug, without[slug])
        else:
            builder.add_installed(wanted[slug])
    return builder.finish(number, now.addresses)


class _Builder:
    """Collects addon by addon; nothing of an addon counts before all of it was checked."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.manager = collecting.new_manager()
        self.added: list[tuple[LoadedRelease, Contribution]] = []
        self.failures: dict[str, AddonError] = {}
        self.attention: dict[str, tuple[str, ...]] = {}
        listen = "" if config.smtp_listen is None else ":".join(map(str, config.smtp_listen))
        settings.provide("", {"public_url": config.public_url, "smtp_listen": listen})

    def add_builtin(self) -> None:
        """Add every addon that is part of the host."""
        for folder in sorted(BUILTIN.iterdir()):
            if (folder / "addon.toml").is_file():
                try:
                    manifest = read_manifest(folder)
                except ManifestError as error:
                    self.leave_out(folder.name, AddonError(str(error), state=AddonState.INCOMPATIBLE))
                    continue
                self._add(manifest, lambda m=manifest, f=folder: loader.load_builtin(m, f))  # type: ignore[misc]

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
            loaded = load()
            collecting.register(self.manager, slug, loaded.plugin)
            try:
                found = watching.watched(
                    collecting.collect(self.manager, manifest, loaded.folder), manifest.version
                )
                self._check_neighbours(found)
            except AddonError:
                self.manager.unregister(name=slug)
                raise
        except AddonError as error:
            self.leave_out(slug, error)
        except (OSError, sa.exc.SQLAlchemyError) as error:
            self.leave_out(slug, AddonError(noop("Its files could not be read."), detail=last_lines(error)))
        else:
            self.added.append((loaded, found))

    def leave_out(self, slug: str, error: AddonError) -> None:
        """Go on without the addon *slug*, and remember why."""
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
        taken = {adapter.key for _, other in self.added for adapter in other.channels}
        for adapter in found.channels:
            if adapter.key in taken:
                raise AddonError(f"Another addon already brings the channel {adapter.key!r}.")

    def finish(self, number: int, addresses: Mapping[str, Waiting]) -> Generation:
        def each(part: str) -> Sequence[tuple[str, object]]:
            return [(found.slug, item) for _, found in self.added for item in getattr(found, part)]

        adapters: list[ChannelAdapter] = [a for _, found in self.added for a in found.channels]
        cards: list[SettingsCard] = [c for _, found in self.added for c in found.cards]
        releases = {loaded.slug: loaded for loaded, _ in self.added}
        return Generation(
            number=number,
            plugins=self.manager,
            directory=Directory(adapters, cards),
            webhooks={
                f"/addons/{found.slug}/{route.path}": route
                for _, found in self.added
                for route in found.webhooks
            },
            receivers=tuple(each("receivers")),  # type: ignore[arg-type]
            jobs=tuple(each("jobs")),  # type: ignore[arg-type]
            admin_pages={
                found.slug: found.admin_page for _, found in self.added if found.admin_page is not None
            },
            blueprints=tuple(each("blueprints")),  # type: ignore[arg-type]
            template_folders=_folders(releases, "templates"),
            static_folders=_folders(releases, "static"),
            manifests={slug: release.manifest for slug, release in releases.items()},
            failures={slug: error.sentence for slug, error in self.failures.items()},
            failure_states={slug: error.state for slug, error in self.failures.items()},
            failure_details={slug: error.detail for slug, error in self.failures.items()},
            attention=self.attention,
            public_paths=frozenset(
                path for release in releases.values() for path in release.manifest.public_paths
            ),
            waiting={path: one for path, one in addresses.items() if one.slug not in releases},
            releases=releases,
        )


def _folders(releases: Mapping[str, LoadedRelease], name: str) -> dict[str, Path]:
    found = {slug: release.folder / name for slug, release in releases.items()}
    return {slug: folder for slug, folder in found.items() if folder.is_dir()}
