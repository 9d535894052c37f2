"""An event is one declaration: with where it happens and its documentation it is added in three files."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("host", "migrations", "tests", "addons", "sandbox", "docs", "pyproject.toml")

DECLARED = "host/events/kinds/conversations.py"
DECLARATION = '''

class OfDiscussion(Facts, frozen=True, kw_only=True):
    """How many members a note mentions."""

    people: int = 0


class Discussed(Shape, frozen=True, kw_only=True):
    """A conversation that people talk about."""

    id: str
    channel_id: ChannelId
    people: int
    timestamp: Timestamp


@of_talk
def _discussed(about: About, account: ChannelAccount, talk: Talk) -> Shape:
    people = about.event.facts(OfDiscussion).people
    return Discussed(id=str(talk.id), channel_id=account.uuid, people=people, timestamp=parts.at(about))


CONVERSATION_DISCUSSED = KINDS.add(
    Kind(
        "conversation.discussed",
        noop("A note mentions somebody."),
        make=_discussed,
        sample=Discussed(id="42", channel_id=CHANNEL_ID, people=2, timestamp=AT),
        facts=OfDiscussion,
        since="1.2",
    )
)
'''
RECORDED = "host/inbox/notes.py"
RECORDING = """    record(
        session,
        Happened(
            workspace_id,
            CONVERSATION_DISCUSSED,
            conversation_id=conversation.id,
            actor_kind=actor,
            actor_id=author_id,
            facts=OfDiscussion(people=len(mentioned)),
        ),
    )
    return note
"""
DOCUMENTED = "docs/events.md"

SEEN = '''"""What everybody sees of the event that was added."""

from sqlalchemy.orm import Session

from host.api.http.openapi import document
from host.core import clock, db
from host.inbox.notes import add_note
from host.events import catalogue
from tests import helpers
from tests.receiver import Receiver
from tests.webhooks.desk import HookDesk

NAME = "conversation.discussed"


def test_endpoints_are_told_and_the_api_says_so(desk: HookDesk, receiver: Receiver) -> None:
    mia = helpers.make_user(name="Mia R.", workspace=desk.workspace_id)
    conversation = desk.customer_wrote("anna")
    account = desk.account.uuid
    desk.endpoint(receiver.url, "conversation.*")
    desk.deliver()
    receiver.got.clear()

    def note(session: Session) -> None:
        add_note(
            session,
            workspace_id=desk.workspace_id,
            conversation_id=conversation,
            author_id=mia.id,
            text="What do you think?",
            reply_key="12345678",
            now=clock.now(),
            mentioned=[mia.id],
            accounts=None,
        )

    db.write(note)
    desk.deliver()
    (got,) = receiver.got
    data = got.told["data"]
    assert got.told == {
        "event": NAME,
        "data": {
            "id": str(conversation), "channelId": account, "people": 1, "timestamp": data["timestamp"]
        },
    }
    described = document("https://desk.example")
    assert NAME in described["webhooks"]
    assert described["components"]["schemas"]["EventDiscussed"]["required"] == [
        "id", "channelId", "people", "timestamp"
    ]
    assert catalogue.KINDS[NAME].since == "1.2"
'''


def _changed(tree: Path) -> set[str]:
    """Return the files of *tree* that are different from ours, or new."""
    found = set()
    for name in COPIED:
        copy = tree / name
        for file in copy.rglob("*") if copy.is_dir() else [copy]:
            path = file.relative_to(tree)
            if file.is_file() and "__pycache__" not in path.parts:
                same = (ROOT / path).is_file() and filecmp.cmp(ROOT / path, file, shallow=False)
                found |= set() if same else {path.as_posix()}
    return found


@pytest.mark.slow
def test_an_event_is_added_in_three_files(tmp_path: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "pictures"))
        else:
            shutil.copy(source, tmp_path / name)
    declared = tmp_path / DECLARED
    declared.write_text(declared.read_text() + DECLARATION)
    recorded = tmp_path / RECORDED
    text = recorded.read_text()
    imports = "from host.events.kinds.conversations import NOTE_ADDED, NOTE_DELETED, NOTE_EDITED\n"
    assert text.count("    return note\n") == 1
    assert imports in text
    recorded.write_text(
        text.replace("    return note\n", RECORDING).replace(
            imports,
            "from host.events.kinds.conversations import CONVERSATION_DISCUSSED, OfDiscussion\n"
            "from host.events.writing import Happened, record\n" + imports,
        )
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ |= {"PYTHONPATH": str(tmp_path)}

    def run(*tests: str, **more: str) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environ | more
        )
        assert done.returncode == 0, done.stdout[-3000:]

    run("tests/instagram/test_events_page.py", REWRITE_GOLDEN="1")
    assert _changed(tmp_path) == {DECLARED, RECORDED, DOCUMENTED}
    (tmp_path / "tests/webhooks/test_added.py").write_text(SEEN)
    run("tests/webhooks/test_added.py", "tests/webhooks/test_telling.py", "tests/api/test_events.py")
