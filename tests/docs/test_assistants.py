"""docs/assistants.md says of assistants what the code does."""

from __future__ import annotations

from host.assistants import keeping
from host.assistants.values import Body
from tests.docs.test_docs import ROOT

PAGE = (ROOT / "docs" / "assistants.md").read_text()


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    body = Body()
    said = (
        f"| one conversation, until it is closed | {body.limits.conversation.turns} answers |",
        f"| all assistants of the workspace | {body.limits.day.turns:,} answers |",
        f"| {keeping.SECONDS[0]} to {keeping.SECONDS[-1]} | {body.limits.seconds} |",
        f"| {keeping.CALLS[0]} to {keeping.CALLS[-1]} | {body.limits.calls} |",
        f"| letters | {keeping.LONGEST_PROMPT:,} |",
        f"| {keeping.LONGEST_PHRASE} letters each | {keeping.MOST_PHRASES} |",
        f"| {keeping.PAUSES[0]} to {keeping.PAUSES[-1]} seconds | {body.pause} |",
        f"| assistants of a workspace | | {keeping.MOST} |",
        f"until {keeping.USUALLY_NEEDED} of its suggestions",
        f"from {keeping.NEEDED[0]} to {keeping.NEEDED[-1]:,}.",
        f"{keeping.AT_ONCE} at once",
    )
    assert [one for one in said if one not in " ".join(PAGE.split()) and one not in PAGE] == []
