"""docs/assistants.md says of assistants what the code does."""

from __future__ import annotations

from host.assistants import assistants
from host.assistants.values import Body
from tests.docs.test_docs import ROOT

PAGE = (ROOT / "docs" / "assistants.md").read_text()


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    body = Body()
    said = (
        f"| one conversation, until it is closed | {body.limits.conversation.turns} answers |",
        f"| all assistants of the workspace | {body.limits.day.turns:,} answers |",
        f"| {assistants.SECONDS[0]} to {assistants.SECONDS[-1]} | {body.limits.seconds} |",
        f"| {assistants.CALLS[0]} to {assistants.CALLS[-1]} | {body.limits.calls} |",
        f"| letters | {assistants.LONGEST_PROMPT:,} |",
        f"| {assistants.LONGEST_PHRASE} letters each | {assistants.MOST_PHRASES} |",
        f"| {assistants.PAUSES[0]} to {assistants.PAUSES[-1]} seconds | {body.pause} |",
        f"| assistants of a workspace | | {assistants.MOST} |",
        f"until {assistants.USUALLY_NEEDED} of its suggestions",
        f"from {assistants.NEEDED[0]} to {assistants.NEEDED[-1]:,}.",
        f"{assistants.AT_ONCE} at once",
    )
    assert [one for one in said if one not in " ".join(PAGE.split()) and one not in PAGE] == []
