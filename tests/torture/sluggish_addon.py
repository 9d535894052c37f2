"""The addons of the torture's own: one that is slow, fails or hangs, and one whose job has to go on."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from host.addons.package.build import build_release

MANIFEST = """\
slug = "sluggish"
name = "Sluggish"
version = "1.0.0"
publisher = "Lobby tests"
description = "An addon that is slow, fails or hangs for one customer."
license = "MIT"
package = "sluggish"
host = ">=1.0,<2"
sdk = ">=1.1,<2"
python = ">=3.11"
requires = []

[mark]
text = "SL"
tone = 6

[declares]
reads = ["conversations", "contacts"]
jobs = ["endless"]
"""
CODE = '''\
"""An addon that is slow, fails or hangs for one customer, and has a job that never ends."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from host.sdk import clock
from host.sdk.events import DeskEvent, Listener
from host.sdk.hookspecs import hookimpl
from host.sdk.pages import Job
from host.sdk.panels import Block, CustomerContext, Panel, Paragraph
from host.sdk.rules import AskedAbout, RuleCondition

FOLDER = Path("{folder}")
SLOW_SECONDS = 12.0
FAILS_FOR_SECONDS = 60.0


def holds(about: AskedAbout, _value: str) -> bool:
    if about.text.startswith("slowly"):
        time.sleep(SLOW_SECONDS)
    return False


def handle(events: Sequence[DeskEvent]) -> None:
    for event in events:
        age = (clock.now() - event.at).total_seconds()
        if str(event.data["content"].get("text", "")).startswith("broken") and age < FAILS_FOR_SECONDS:
            raise ValueError("this message is too strange")


def orders(customer: CustomerContext) -> Sequence[Block]:
    whose = FOLDER / "hangs for"
    if whose.exists() and whose.read_text() in {{one.external_id for one in customer.identities}}:
        with (FOLDER / "hung").open("a") as hung:
            hung.write("x")
        # Nobody writes to it: the call hangs in C, where nothing can interrupt it. What is raised in it as
        # soon as it goes on drops the file, so that no reader is left.
        (FOLDER / "pipe").open().close()
    return [Paragraph("They ordered two cups.")]


def notes(_customer: CustomerContext) -> Sequence[Block]:
    return [Paragraph("They like blue.")]


def endless() -> None:
    if (FOLDER / "endless").exists():
        with subprocess.Popen(["sleep", "100000"]) as child, (FOLDER / "children").open("a") as children:
            children.write(f"{{child.pid}}\\n")
            children.flush()
            child.wait()


@hookimpl
def register_conditions() -> Sequence[RuleCondition]:
    return [RuleCondition("sluggish.slow", None, "the addon thinks so", holds)]


@hookimpl
def register_listeners() -> Sequence[Listener]:
    return [Listener("sluggish.heard", ("message.received",), handle)]


@hookimpl
def register_panels() -> Sequence[Panel]:
    return [Panel("sluggish.orders", "Orders", orders), Panel("sluggish.notes", "Notes", notes)]


@hookimpl
def register_jobs() -> Sequence[Job]:
    return [Job("endless", timedelta(seconds=5), endless)]
'''

STEADY_MANIFEST = (
    MANIFEST.replace("sluggish", "steady")
    .replace("Sluggish", "Steady")
    .replace("endless", "steady")
    .replace("An addon that is slow, fails or hangs for one customer.", "An addon with a job.")
    .replace('"SL"', '"ST"')
)
STEADY_CODE = '''\
"""An addon with a job that notes when it ran."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from host.sdk.hookspecs import hookimpl
from host.sdk.pages import Job

FOLDER = Path("{folder}")


def steady() -> None:
    with (FOLDER / "steady").open("a") as ran:
        ran.write(f"{{time.monotonic()}}\\n")


@hookimpl
def register_jobs() -> Sequence[Job]:
    return [Job("steady", timedelta(seconds=5), steady)]
'''


class Places:
    """The files by which a test and its addons talk to each other.

    :param folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._pipe = folder / "pipe"
        os.mkfifo(self._pipe)

    def hang_for(self, customer: str) -> None:
        """Have the panel hang for *customer*, by the provider's id; empty: for nobody."""
        if customer:
            (self.folder / "hangs for").write_text(customer)
            return
        (self.folder / "hangs for").unlink(missing_ok=True)
        with suppress(OSError):  # nobody hangs any more
            for _ in range(100):
                os.close(os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK))
                time.sleep(0.02)

    @property
    def hung(self) -> int:
        """How often the panel began to hang."""
        seen = self.folder / "hung"
        return seen.stat().st_size if seen.exists() else 0

    def be_endless(self, *, endless: bool) -> None:
        """Have the job never end, or end as usual."""
        if endless:
            (self.folder / "endless").touch()
        else:
            (self.folder / "endless").unlink(missing_ok=True)

    @property
    def children(self) -> list[int]:
        """The programs the endless job has started, by their process ids."""
        return [int(one) for one in self._lines("children")]

    @property
    def steady(self) -> list[float]:
        """When the other addon's job ran, in monotonic seconds."""
        return [float(one) for one in self._lines("steady")]

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().split() if path.exists() else []


def build(slug: str, folder: Path, places: Places) -> Path:
    """Build the addon *slug*, ``sluggish`` or ``steady``, in *folder*; return its zip."""
    manifest, code = {"sluggish": (MANIFEST, CODE), "steady": (STEADY_MANIFEST, STEADY_CODE)}[slug]
    source = folder / slug
    (source / slug).mkdir(parents=True)
    (source / "addon.toml").write_text(manifest)
    (source / "README.md").write_text(f"# {slug.capitalize()}\n")
    (source / slug / "__init__.py").write_text('"""The addon."""\n')
    (source / slug / "addon.py").write_text(code.format(folder=places.folder))
    path, _ = build_release(source, folder)
    return path
