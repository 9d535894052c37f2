"""Declaration of a feature: its pages, routes, jobs and all other information that other code needs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import msgspec


class Job(NamedTuple):
    """Work that workers repeat, each job in a separate thread.

    :param run: ``module:function``, called with the directory of the running generation if it takes an
        argument. If it returns a true value, more work is due, and it runs again immediately.
    :param every: seconds between two runs.
    :param due: ``module:function`` that returns what makes it due, given the time as a bound value: a SELECT,
        ordered as its index is, or several. Such a job only runs when one of them finds a row; all of these
        are asked in one statement. Empty: it runs regularly, and looks for itself.
    """

    name: str
    run: str
    every: float
    due: str = ""


def noop(text: str) -> str:
    """Mark *text* for translation: :func:`host.sdk.i18n.noop` without that module's imports."""
    return text


class Switch(NamedTuple):
    """The texts of a feature's switch on the addons page, in English; the page translates them.

    :param icon: the name of its icon.
    :param title: the name of the feature.
    :param told: that *who* turned it off, as owners and leads are told.
    :param about: what it does, in one sentence.
    :param stays: what remains while it is disabled, in one sentence.
    :param again: what happens when it is enabled again, in one sentence.
    """

    icon: str
    title: str
    told: str
    about: str
    stays: str
    again: str


class Feature(msgspec.Struct, frozen=True):
    """A feature, with its parts named as ``module`` or ``module:attribute`` within *package*.

    A name that begins with ``host.`` is absolute.

    :param package: its folder, ``__package__``.
    :param models: modules of its tables.
    :param of_desk: tables without workspace data: the desk's, or its people's.
    :param blueprints: its blueprints.
    :param views: modules that add views to these blueprints when they are imported.
    :param routes: modules that declare routes of the API when they are imported.
    :param jobs: jobs of workers besides delivering.
    :param consumers: name under which the position of an event log consumer is kept -> factory of the
        consumer, given a :class:`host.events.consuming.ConsumerContext`. Names never change.
    :param senders: factory of sender threads, next to the workers of a process: a
        :class:`host.process.serving.BackgroundService`. They run while the feature is enabled.
    :param sealed: table -> its columns that hold sealed values.
    :param ids: name of an id in addresses of workspaces -> a SELECT, given ``id`` and ``workspace``, of the
        accounts that the object belongs to; empty: it does not concern accounts.
    :param names: objects that events name by id, as :attr:`host.events.facts.Facts.named` calls it -> a
        SELECT of ids and names.
    :param sentences: the module with the sentences of the audit log, see
        :mod:`host.users.pages.audit_sentences`.
    :param commands: name of a command of ``lobby`` -> the command.
    :param data: the module with its hooks of :mod:`host.features.hookspecs` about what it stores. They are
        called even if the feature is disabled.
    :param hooks: the module with its other hooks.
    :param switch: the texts of its switch for admins; None: it is always enabled.
    """

    package: str
    models: tuple[str, ...] = ()
    of_desk: tuple[str, ...] = ()
    blueprints: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    jobs: tuple[Job, ...] = ()
    consumers: Mapping[str, str] = {}
    senders: str = ""
    sealed: Mapping[str, tuple[str, ...]] = {}
    ids: Mapping[str, str] = {}
    names: Mapping[str, str] = {}
    sentences: str = ""
    commands: Mapping[str, str] = {}
    data: str = ""
    hooks: str = ""
    switch: Switch | None = None

    @property
    def optional(self) -> bool:
        """Whether it can be disabled."""
        return self.switch is not None

    @property
    def name(self) -> str:
        return self.package.rpartition(".")[2]

    def place(self, part: str) -> str:
        """Return the full name of *part*."""
        return part if part.startswith("host.") else f"{self.package}.{part}"

    def load(self, part: str) -> Any:
        """Import *part* and return it."""
        module, _, attribute = self.place(part).partition(":")
        found = import_module(module)
        return getattr(found, attribute) if attribute else found
