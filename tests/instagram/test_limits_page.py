"""docs/answer.md names the limits the adapter declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.core.backports.values import replace
from host.inbox.pages.composer import type_names
from host.media.limits import megabytes
from host.sdk.messages import MessageKind
from tests import helpers
from tests.instagram.world import Addon

PAGE = Path(__file__).resolve().parents[2] / "docs" / "answer.md"
NAMES = {
    MessageKind.IMAGE: "Picture",
    MessageKind.VIDEO: "Video",
    MessageKind.AUDIO: "Recording, voice note",
    MessageKind.FILE: "Document",
}


def table(ig: Addon) -> str:
    """Return the table the page must hold."""
    can, by_login = ig.capabilities.CAPABILITIES, ig.capabilities.OF_LOGIN
    assert by_login == replace(can, reactions=frozenset(), blocks=False)
    quick, cards, buttons = can.quick_replies, can.template, can.buttons
    rows = [("Text", f"{can.text_limit_bytes:,} bytes")]
    for kind, name in NAMES.items():
        limits = can.media[kind]
        rows.append((name, f"{type_names(limits.content_types)}; {megabytes(limits.max_bytes)}"))
    rows += [
        ("Pictures in one message", str(can.images_per_message)),
        ("Quick replies", f"{quick.most}; {quick.title_length} characters each"),
        (
            "Text with buttons",
            f"{buttons.text_length} characters; {buttons.buttons} buttons; label {buttons.title_length} "
            "characters",
        ),
        (
            "Carousel",
            f"{cards.elements} cards of {cards.buttons} buttons; title {cards.title_length}, line below it "
            f"{cards.subtitle_length}, label of a button {cards.button_title_length} characters",
        ),
        ("Products", str(can.product_template)),
        (
            "Reactions",
            f"{' '.join(sorted(can.reactions))}; any emoji for an account connected with Instagram Login",
        ),
        (
            "Ice breakers",
            f"{can.ice_breakers.most} per language; {can.ice_breakers.question_length} characters each",
        ),
        ("Menu", f"{can.menu.most} lines per language; {can.menu.title_length} characters each"),
    ]
    return "\n".join(["| what | limit |", "|---|---|", *(f"| {name} | {limit} |" for name, limit in rows)])


def test_the_page_for_agents_has_the_limits_of_the_declaration(
    ig: Addon, data: Path, database: object
) -> None:
    with helpers.build_app(data).test_request_context():
        wanted = table(ig)
    found = PAGE.read_text().split("<!-- limits -->")[1].split("<!-- /limits -->")[0].strip()
    assert found == wanted, f"put this between the marks of {PAGE.name}:\n{wanted}"


@pytest.mark.parametrize(
    "tool",
    [
        "Attach files",
        "Record a voice note",
        "Send a heart",
        "Add quick replies",
        "Add buttons",
        "Carousel",
        "Products",
        "One of your posts",
    ],
)
def test_the_page_for_agents_names_the_tools_as_the_composer_does(tool: str) -> None:
    templates = PAGE.parents[1] / "host" / "templates" / "inbox"
    assert f'_("{tool}")' in (templates / "_tools.html").read_text()
    assert tool in PAGE.read_text()
