"""The toy's listener: a note with what it knows of a parcel, once somebody asks by a label."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk import desk
from host.sdk.events import DeskEvent

toys_desk = desk.of("toy")


def labelled(events: Sequence[DeskEvent]) -> None:
    """Note where the parcel is in conversations that get the label "parcel"."""
    for event in events:
        if event.conversation_id is not None and event.data["label"]["name"].casefold() == "parcel":
            toys_desk.add_note(event.conversation_id, "The parcel is on its way.", key=event.id)
