"""docs/events.md lists every event with a sample. ``REWRITE_GOLDEN=1`` writes the list anew."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable

from host.events import catalogue
from host.events.bodies import samples
from host.events.bodies.samples import Kind
from tests.instagram.world import ADDON, Addon

PAGE = ADDON.parents[1] / "docs" / "events.md"


def render(kinds: Iterable[Kind]) -> str:
    """Return the list as the page shows it."""
    parts = []
    for kind in kinds:
        sample = json.dumps({"event": kind.name, "data": kind.sample}, indent=2, ensure_ascii=False)
        parts.append(f"### {kind.name}\n\n{kind.about}\n\n```json\n{sample}\n```")
    return "\n\n".join(parts)


def test_the_page_lists_every_event(ig: Addon) -> None:
    wanted = render(
        samples.everything([ig.channel.InstagramAdapter(), ig.comments.channel.CommentsAdapter()])
    )
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("REWRITE_GOLDEN"):
        marked = f"<!-- events -->\n{wanted}\n<!-- /events -->"
        text = re.sub(r"<!-- events -->.*<!-- /events -->", lambda _: marked, text, flags=re.DOTALL)
        PAGE.write_text(text, encoding="utf-8")
    assert text.split("<!-- events -->\n")[1].split("\n<!-- /events -->")[0] == wanted


def test_every_kind_of_the_record_can_be_told() -> None:
    assert [kind.name for kind in samples.of_host()] == list(catalogue.KINDS)
