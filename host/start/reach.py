"""Whether the providers of channels can reach this desk, said before somebody connects an account."""

from __future__ import annotations

import ipaddress
import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

import host
from host.addons.package.manifest import Manifest
from host.core.config import ADDON_PREFIX, Config
from host.media import links
from host.models.queue import InboundRequest

CHECKOUT = Path(host.__file__).parent.parent
"""The folder that also holds the sandbox, in a checkout."""

_FROM_DESK = "receiver:"
"""How the source of a request begins that no provider sent to the desk's address: the desk fetched it."""


class Reason(StrEnum):
    """Why no provider can reach an address."""

    THIS_COMPUTER = "this_computer"
    """Only programs on the same computer can."""
    PRIVATE = "private"
    """Only a private network can."""
    NO_HTTPS = "no_https"


class Named(msgspec.Struct, frozen=True):
    """A channel, as the list names it."""

    key: str
    label: str


class Reach(msgspec.Struct, frozen=True):
    """The known facts about the way from the providers to this desk.

    :param address: the public address of the desk; *fixed*: whether only the environment can change it.
    :param reason: why no provider can reach the address; None: nothing speaks against it.
    :param waiting: channels whose providers send messages to it; *free*: those that fetch theirs.
    :param received_at: when a provider last delivered something; None: none was seen.
    :param sandbox: address of the sandbox that stands in for providers; empty: none does.
    :param played: those of *waiting* it stands in for.
    :param sandbox_link: whether this browser can open that address.
    :param commands: what starts a sandbox and a desk that uses it, if the program for it is there.
    """

    address: str
    fixed: bool
    reason: Reason | None
    waiting: Sequence[Named]
    free: Sequence[Named]
    received_at: datetime | None
    sandbox: str
    played: Sequence[Named]
    sandbox_link: bool
    commands: Sequence[str]

    @property
    def cut_off(self) -> frozenset[str]:
        """The channels whose messages cannot arrive."""
        if self.reason is None:
            return frozenset()
        return frozenset(one.key for one in self.waiting) - {one.key for one in self.played}

    def is_about(self, channel: str) -> bool:
        """Return whether the messages of *channel* are sent to the desk's address."""
        return any(one.key == channel for one in self.waiting)


def read(session: Session, config: Config, manifests: Iterable[Manifest], browser_host: str) -> Reach | None:
    """Return what is known; None if no channel depends on it.

    :param manifests: of the addons that are or could be installed.
    :param browser_host: the host name under which the person opened this page.
    """
    waiting: dict[str, Named] = {}
    free: dict[str, Named] = {}
    played: list[Named] = []
    for manifest in manifests:
        if not manifest.channels:
            continue
        key = manifest.channels[0]
        named = Named(key, manifest.name)
        # An addon declares every address that providers call, so one without any fetches its messages.
        if manifest.declares.routes:
            if key not in waiting and is_played(config, manifest.slug):
                played.append(named)
            waiting.setdefault(key, named)
        else:
            free.setdefault(key, named)
    if not waiting:
        return None
    return Reach(
        config.public_url,
        "public_url" in config.given,
        reason(config.public_url),
        list(waiting.values()),
        list(free.values()),
        last_received(session),
        config.sandbox,
        played,
        not is_loopback(urlsplit(config.sandbox).hostname or "") or is_loopback(browser_host),
        commands(),
    )


def reason(url: str) -> Reason | None:
    """Return why no provider can reach *url*; None if nothing speaks against it."""
    if links.is_public(url):
        return None
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        return Reason.THIS_COMPUTER
    return Reason.PRIVATE if not links.is_public(parts._replace(scheme="https").geturl()) else Reason.NO_HTTPS


def is_loopback(name: str) -> bool:
    """Return whether a host name or IP address leads to the computer itself."""
    name = name.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(name)
    except ValueError:
        return False
    return ip.is_loopback or ip.is_unspecified


def is_played(config: Config, slug: str) -> bool:
    """Return whether an addon is set to call the sandbox instead of its provider."""
    prefix = f"{ADDON_PREFIX}{slug.upper()}_"
    return bool(config.sandbox) and any(
        name.startswith(prefix) and f"{value}/".startswith(f"{config.sandbox}/")
        for name, value in config.addon_values.items()
    )


def last_received(session: Session) -> datetime | None:
    """Return when a request of a provider, found genuine, last reached this desk."""
    query = (
        sa.select(InboundRequest.received_at)
        .where(InboundRequest.source.not_like(f"{_FROM_DESK}%"))
        .order_by(InboundRequest.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def commands() -> Sequence[str]:
    """Return the commands that start a sandbox and a desk that uses it; none outside a checkout."""
    if not (CHECKOUT / "sandbox" / "__main__.py").is_file():
        return ()
    programs = Path(sys.prefix, "bin")
    if programs.is_relative_to(CHECKOUT):
        programs = programs.relative_to(CHECKOUT)
    lines = ([str(programs / "python"), "-m", "sandbox"], [str(programs / "lobby"), "run", "--sandbox"])
    return [shlex.join(line) for line in lines]
