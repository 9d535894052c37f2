"""Received events as test fixtures: the output of ``lobby record``, in files next to the tests.

    def test_a_story_that_ended() -> None:
        (change,) = recorded(FOLDER / "story.json").read(MyAdapter())
        assert change.kind is MessageKind.STORY

They are also samples for the contract: ``samples = [one.envelope for one in all_recorded(FOLDER)]``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from host.sdk.channel import ChannelAdapter
from host.sdk.messages import InboundChange
from host.sdk.webhooks import Envelope

__all__ = ["Recorded", "all_recorded", "recorded"]

RAISES = "raises "
"""Prefix of an outcome if the adapter raised an error."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A received event without personal data.

    :param channel: key of the adapter that read it.
    :param envelope: the event, of account 1.
    :param becomes: class names of the changes the adapter returned when it was recorded, in order; or one
        line, ``raises`` and the name of an error.
    """

    channel: str
    envelope: Envelope
    becomes: tuple[str, ...]

    def read(self, adapter: ChannelAdapter) -> list[InboundChange]:
        """Return the changes that *adapter* returns for the event.

        :raises AssertionError: if their classes differ from those recorded. If the adapter raised when the
            event was recorded, any changes are fine.
        """
        assert adapter.key == self.channel, f"recorded of {self.channel}, not of {adapter.key}"
        changes = list(adapter.parse(self.envelope))
        stumbled = len(self.becomes) == 1 and self.becomes[0].startswith(RAISES)
        if not stumbled:
            found = tuple(type(change).__name__ for change in changes)
            before, now = ", ".join(self.becomes), ", ".join(found)
            assert found == self.becomes, f"it was read as {before}, now as {now}"
        return changes


def recorded(path: Path) -> Recorded:
    """Return the fixture in the file *path*.

    :raises ValueError: if it is not a fixture.
    :raises OSError: if it cannot be read.
    """
    text = path.read_text("utf-8")
    try:
        found: Any = json.loads(text)
        at = found.get("occurred_at")
        envelope = Envelope(
            account_id=1,
            lane="recorded",
            dedupe_key=f"recorded:{path.stem}",
            kind=str(found["kind"]),
            body=json.dumps(found["body"], ensure_ascii=False).encode(),
            occurred_at=None if at is None else datetime.fromisoformat(at),
        )
        return Recorded(str(found["channel"]), envelope, tuple(map(str, found["becomes"])))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is nothing that `lobby record` printed") from error


def all_recorded(folder: Path) -> Sequence[Recorded]:
    """Return the fixtures of the files ``*.json`` in *folder*, sorted by name.

    :raises ValueError: if one is not a fixture, or the folder has none.
    """
    found = [recorded(path) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise ValueError(f"there is no fixture in {folder}")
    return found
