"""The features of this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from inspect import signature
from typing import Any

import pluggy

from host.features import hookspecs
from host.features.feature import Feature, Job, Switch

_features: tuple[Feature, ...] = ()
_off: frozenset[str] = frozenset()
_hooks: tuple[tuple[int, frozenset[str]], pluggy.PluginManager] | None = None


class NotLoadedError(RuntimeError):
    """Features were requested before they were registered."""

    def __init__(self) -> None:
        super().__init__("import host.process.features first: it says which features there are")


class UnknownFeatureError(ValueError):
    """The feature to disable does not exist, or is not optional."""

    def __init__(self, names: Sequence[str], optional: Sequence[str]) -> None:
        super().__init__(
            f"There is no {' and no '.join(names)} that could be switched off, only {', '.join(optional)}."
        )


def use(features: Sequence[Feature]) -> None:
    """Set the features of this process, in the order in which they take part in shared hooks."""
    global _features  # noqa: PLW0603 - set once, when the process begins
    _features = tuple(features)


def features() -> tuple[Feature, ...]:
    """Return the features of this process.

    :raises NotLoadedError: if they have not been set.
    """
    if not _features:
        raise NotLoadedError()
    return _features


def optional() -> dict[str, Switch]:
    """Return the switches of the optional features, by feature name."""
    return {feature.name: feature.switch for feature in features() if feature.switch is not None}


def switch_off(names: Collection[str]) -> None:
    """Disable the optional features *names* in this process, and enable all others.

    :raises UnknownFeatureError: if a name is not an optional feature.
    """
    global _off  # noqa: PLW0603 - a setting of the process
    can_be = sorted(optional())
    if unknown := sorted(set(names) - set(can_be)):
        raise UnknownFeatureError(unknown, can_be)
    _off = frozenset(names)


def switched_off() -> frozenset[str]:
    """Return the names of the features disabled in this process."""
    return _off


def is_on(name: str) -> bool:
    """Return whether the feature *name* exists and is enabled in this process."""
    return any(feature.name == name for feature in active())


def active() -> tuple[Feature, ...]:
    """Return the enabled features."""
    return tuple(feature for feature in features() if feature.name not in _off)


def disabled() -> tuple[Feature, ...]:
    """Return the disabled features."""
    return tuple(feature for feature in features() if feature.name in _off)


def load_models() -> None:
    """Import the tables of every feature."""
    for feature in features():
        for module in feature.models:
            feature.load(module)


def parts(kind: str, of: Collection[Feature] | None = None) -> Iterator[Any]:
    """Import and yield every part of a *kind*: ``blueprints``, ``views`` or ``routes``.

    :param of: the features; None: the enabled ones.
    """
    for feature in active() if of is None else of:
        yield from map(feature.load, getattr(feature, kind))


def commands(of: Collection[Feature]) -> dict[str, str]:
    """Return the location of each ``lobby`` command of the features *of*, by its name."""
    return {name: feature.place(part) for feature in of for name, part in feature.commands.items()}


def senders() -> dict[str, Callable[[], Any]]:
    """Import and return the sender factory of each enabled feature that has one, by its name."""
    return {feature.name: feature.load(feature.senders) for feature in active() if feature.senders}


def jobs() -> list[tuple[str, Callable[[Any], object], float]]:
    """Return the name of each job, the function to call, and the seconds between two runs.

    A job does nothing while its feature is disabled. It is imported now if its feature is enabled, else when
    that is enabled.
    """
    return [(job.name, _while_on(feature, job), job.every) for feature in features() for job in feature.jobs]


def due_queries() -> dict[str, Callable[[Any], Any]]:
    """Return the functions of :attr:`Job.due`, by the name of the job, of jobs whose feature is enabled."""
    return {job.name: feature.load(job.due) for feature in active() for job in feature.jobs if job.due}


def jobs_when_due() -> frozenset[str]:
    """Return the names of the jobs that only run when something is due, see :attr:`Job.due`."""
    return frozenset(job.name for feature in features() for job in feature.jobs if job.due)


def _while_on(feature: Feature, declared: Job) -> Callable[[Any], object]:
    @cache
    def loaded() -> tuple[Callable[..., object], bool]:
        run = feature.load(declared.run)
        return run, any(one.default is one.empty for one in signature(run).parameters.values())

    def job(directory: Any) -> object:
        if not is_on(feature.name):
            return None
        run, takes_directory = loaded()
        return run(directory) if takes_directory else run()

    job.__name__ = declared.run.rpartition(":")[2]
    if is_on(feature.name):
        loaded()
    return job


def hooks() -> pluggy.HookRelay:
    """Return the hooks of :mod:`host.features.hookspecs`, which call the features in order."""
    global _hooks  # noqa: PLW0603 - made when they are first needed
    now = id(features()), _off
    if _hooks is None or _hooks[0] != now:
        _hooks = now, _manager()
    return _hooks[1].hook


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    # The last registered is called first.
    for feature in reversed(features()):
        for part in (feature.data, feature.hooks if feature.name not in _off else ""):
            if part:
                manager.register(feature.load(part), feature.place(part))
    manager.check_pending()
    return manager


def names_of(what: str) -> Any:
    """Return the SELECT of ids and names of *what*, see :class:`Feature`; None if no feature has them."""
    having = (feature for feature in features() if what in feature.names)
    found = next(having, None)
    return None if found is None else found.load(found.names[what])


def named(kind: str) -> dict[str, Any]:
    """Return what all features declare for a *kind* by name: ``sealed``.

    :raises ValueError: if two declare the same name.
    """
    found: dict[str, Any] = {}
    for feature in features():
        for name, part in getattr(feature, kind).items():
            if name in found:
                raise ValueError(f"{feature.package}: {kind} has {name!r} already")
            found[name] = part
    return found
