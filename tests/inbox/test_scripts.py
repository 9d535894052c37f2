"""The modules of the inbox's page are asked for together."""

from __future__ import annotations

import re
from pathlib import Path

import host
from host.inbox.pages import inbox_page

JS = Path(host.__file__).parent / "static" / "js"


def imported(name: str, found: set[str]) -> set[str]:
    for other in re.findall(
        r"""^(?:import|\} from|.*\bfrom) ["']\./([\w-]+\.js)["'];""", (JS / name).read_text(), re.M
    ):
        if other not in found:
            found.add(other)
            imported(other, found)
    return found


def test_every_module_of_the_inbox_is_named_once() -> None:
    assert imported("inbox.js", set()) == set(inbox_page.SCRIPTS)
    of_conversation = imported("inbox-conversation.js", {"inbox-conversation.js"})
    assert of_conversation - set(inbox_page.SCRIPTS) == set(inbox_page.CONVERSATION_SCRIPTS)
