"""docs/messages.md says what the golden files say. ``REWRITE_GOLDEN=1`` writes it anew."""

from __future__ import annotations

import os
import re

from tests.instagram import reference_receive, reference_send, test_golden_receive, test_golden_send
from tests.instagram.receiving import KINDS
from tests.instagram.world import ADDON, Addon

PAGE = ADDON.parents[1] / "docs" / "messages.md"


def test_the_page_tells_what_can_be_sent(ig: Addon) -> None:
    golden = {name: test_golden_send.read(name) for name in test_golden_send.CASES}
    assert set(reference_send.ORDER) == set(golden)
    wanted = reference_send.render(ig.capabilities.CAPABILITIES, ig.capabilities.OF_LOGIN, golden)
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("REWRITE_GOLDEN"):
        marked = f"<!-- send -->\n{wanted}\n<!-- /send -->"
        text = re.sub(r"<!-- send -->.*<!-- /send -->", lambda _: marked, text, flags=re.DOTALL)
        PAGE.write_text(text, encoding="utf-8")
    assert text.split("<!-- send -->\n")[1].split("\n<!-- /send -->")[0] == wanted


def test_the_page_tells_what_is_received() -> None:
    golden = {kind.name: test_golden_receive.read(kind.name) for kind in KINDS}
    wanted = reference_receive.render(golden)
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("REWRITE_GOLDEN"):
        marked = f"<!-- receive -->\n{wanted}\n<!-- /receive -->"
        text = re.sub(r"<!-- receive -->.*<!-- /receive -->", lambda _: marked, text, flags=re.DOTALL)
        PAGE.write_text(text, encoding="utf-8")
    assert text.split("<!-- receive -->\n")[1].split("\n<!-- /receive -->")[0] == wanted
