"""Which tenth of the longer loop was last green at which commit: ``python -m tests.shares``.

``make test-long SHARE=3/10`` runs the files of one tenth, and ``.ci/run`` another one for each commit. When
it is green, ``python -m tests.shares 3/10`` adds a line to ``tests/shares.tsv``: commit the file, so that a
release knows what has not run for how long.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

KEPT = Path(__file__).with_suffix(".tsv")
TENTHS = 10


class Green(NamedTuple):
    """A part of the longer loop that passed.

    :param share: the part, such as ``3/10``, or ``13/30``, a third of the same tenth; reduced, so that each
        part has one name.
    :param commits: how many there are up to the one it passed at, which an amended commit keeps.
    :param commit: that commit, shortened.
    :param day: in UTC, such as ``2026-11-30``.
    """

    share: str
    commits: int
    commit: str
    day: str


def reduced(share: str) -> str:
    """Return *share* with the number of its part below that of parts: ``1357/10`` is ``7/10``."""
    part, _slash, parts = share.partition("/")
    return f"{int(part) % int(parts)}/{int(parts)}"


def read(path: Path = KEPT) -> list[Green]:
    """Return what is written down, the oldest first."""
    lines = [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []
    return [Green(share, int(count), commit, day) for share, count, commit, day in lines]


def note(share: str, path: Path = KEPT) -> Green:
    """Write down that *share* is green at the commit checked out here."""
    green = Green(reduced(share), _count(), _git("rev-parse", "--short=8", "HEAD"), f"{datetime.now(UTC):%F}")
    with path.open("a") as file:
        file.write("\t".join(map(str, green)) + "\n")
    return green


def table(greens: Iterable[Green], count: int) -> Iterator[str]:
    """Yield a line for each tenth, and for each third of one that passed since; *count* is of now."""
    newest = {green.share: green for green in sorted(greens, key=lambda green: green.commits)}
    for tenth in range(TENTHS):
        whole = newest.get(f"{tenth}/{TENTHS}")
        yield f"{tenth}/{TENTHS}  {_line(whole, count)}"
        for share, green in sorted(newest.items()):
            part, parts = map(int, share.split("/"))
            is_part = parts > TENTHS and parts % TENTHS == 0 and part % TENTHS == tenth
            if is_part and green.commits > (whole.commits if whole else -1):
                yield f"  {share}  {_line(green, count)}"


def _line(green: Green | None, count: int) -> str:
    if green is None:
        return "not known to have been green"
    since = count - green.commits
    after = "now" if since <= 0 else f"{since} commit{'s' if since > 1 else ''} ago"
    return f"green {after}, at {green.commit} on {green.day}"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def _count() -> int:
    return int(_git("rev-list", "--count", "HEAD"))


if __name__ == "__main__":
    for each in sys.argv[1:]:
        note(each)
    print("The longer loop, by tenths:")
    print(*table(read(), _count()), sep="\n")
