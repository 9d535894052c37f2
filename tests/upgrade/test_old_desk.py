"""A desk of an earlier Lobby, with one of everything in it, is taken to this one: nothing is lost or changed.

The recorded desks lie in ``desks/``; :mod:`tests.upgrade.record` says how one is made.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from demo.journey import ADMIN
from host.core import migrations
from tests.upgrade.loading import DESKS, SERVERS, Old, loaded
from tests.upgrade.record import ROSA
from tests.whole.rig import until

pytestmark = pytest.mark.services

CHANGED = {
    "api_keys": {"revoked_at"},  # keys of people who left end
    "counters": {"value"},  # processes hear that mail is an addon
}
"""What an upgrade may change of a row that was there."""
ADDED = {
    "installation_values": {migrations.SERVES, "channel:email", "preinstalled:email"},
    "addons": {"email"},
    "addon_publishers": {"email"},
}
"""Rows it may add, by what stands in their first column. Mail was built in when the desk was recorded."""
MORE = {"addon_archive_parts", "addon_releases", "audit_entries"}
"""Tables that have rows of mail after those that were there."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((desk, kind), id=f"{desk}-{kind}", marks=[pytest.mark.slow] if kind in SERVERS else [])
        for desk in sorted(path.stem for path in DESKS.glob("*.backup"))
        for kind in ("sqlite", *SERVERS)
    ],
)
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Old]:
    """A recorded desk, migrated by today's ``lobby migrate``."""
    desk, kind = request.param
    with loaded(desk, kind, tmp_path_factory.mktemp(desk), then=True) as found:
        said = found.rig.lobby("migrate")
        assert "backup: " in said
        assert re.findall(r"^host \d+$", said, re.MULTILINE)
        assert migrations.state(found.url) is migrations.State.CURRENT
        yield found


@pytest.mark.slow
def test_every_row_is_what_it_was(old: Old) -> None:
    tables = [name for name in old.source.contents.tables if not name.endswith("alembic_version")]
    assert {"messages", "outbox", "inbound_events", "instagram_accounts", "email_accounts"} <= set(tables)
    for name in tables:
        before, after = old.recorded(name), old.rows(name)
        after = [row for row in after if next(iter(row.values())) not in ADDED.get(name, ())]
        if name in MORE:
            assert len(after) > len(before), name
            after = after[: len(before)]
        assert len(before) == len(after), name
        for was, now in zip(before, after, strict=True):
            kept = {column: now.get(column) for column in was if column not in CHANGED.get(name, ())}
            assert kept == {column: was[column] for column in kept}, name


def test_keys_of_people_who_left_end_and_others_stay(old: Old) -> None:
    ended = {row["name"]: row.get("ended_because") for row in old.rows("api_keys")}
    assert ended == {
        "Key of Cleo U.": "left",
        "Key of Dan V.": None,
        "Shop": None,
        "Nightly export": "revoked",
    }


def test_what_was_sealed_can_be_read(old: Old) -> None:
    assert re.fullmatch(r"[1-9]\d* values can be decrypted, 0 can't\n", old.rig.lobby("secrets", "verify"))


@pytest.fixture(scope="module")
def served(old: Old) -> Old:
    """The same desk, serving. Its customers wrote to it lately, as the provider sees it, too."""
    for customer in ("ana.sample", "kit.makes.sample", "rosa.sample"):
        old.rig.control("POST", "dm", {"customer": customer, "text": "Nobody is told of this"})
    old.rig.start()
    return old


def test_replies_that_were_queued_are_sent_once_and_in_order(served: Old) -> None:
    waiting = {row["message_id"] for row in served.recorded("outbox") if row["open"]}
    messages = {row["id"]: row for row in served.recorded("messages")}
    queued = [messages[id_] for id_ in sorted(waiting) if messages[id_]["state"] == "queued"]
    assert len(queued) == 5

    def states() -> set[str]:
        now = {row["id"]: row.get("state") for row in served.rows("messages")}
        return {now[row["id"]] for row in queued}

    until(lambda: states() == {"sent"}, "every queued reply sent")
    sends = served.rig.control("GET", "ledger?kind=send")["entries"]
    texts = [one["text"] for one in sends if one.get("text") and one["text"].startswith("Queued")]
    assert sorted(texts) == sorted(row["text"] for row in queued if row.get("text"))
    assert [text for text in texts if text != "Queued for Rosa"] == ["Queued 0", "Queued 1", "Queued 2"]
    assert [one["customer"] for one in sends if one["text"] == "Queued for Rosa"] == [ROSA]
    assert [one["what"] for one in sends].count("image") == 1


def test_what_was_answered_and_not_yet_applied_reaches_the_inbox(served: Old) -> None:
    wanted = {"Journalled 0", "Journalled 1", "Spooled", "Undecided"}

    def there() -> set[str]:
        texts = [row.get("text") for row in served.rows("messages")]
        assert all(texts.count(text) <= 1 for text in wanted)
        return wanted - set(texts)

    until(lambda: not there(), "what waited in the inbox")


def test_a_person_is_still_signed_in_and_sees_it_all(served: Old) -> None:
    inbox = served.page("/w/1/inbox")
    assert inbox.status_code == 200
    for who in ("Ana Q.", "Kit L.", "Rosa S."):
        assert who in inbox.text
    for row in served.recorded("conversations"):
        thread = served.page(f"/w/1/inbox/{row['id']}")
        assert thread.status_code == 200, row
    ana = next(row["id"] for row in served.recorded("conversations"))
    thread = served.page(f"/w/1/inbox/{ana}").text
    for text in (
        "She asked twice",
        "From the phone of the shop",
        "&lt;b&gt;&amp;amp;",
    ):
        assert text in thread
    for path in (
        "/w/1/settings/people",
        "/w/1/settings/channels",
        "/w/1/settings/api",
        "/w/1/settings/general",
        "/account",
        "/notifications",
        "/admin/addons",
        "/admin/addons/instagram/settings",
        "/admin/health",
        "/admin/journal",
        "/admin/hooks",
        "/admin/workspaces",
        "/admin/audit",
        *(f"/w/1/settings/channels/accounts/{row['id']}" for row in served.recorded("channel_accounts")),
    ):
        answer = served.page(path)
        assert answer.status_code == 200, (path, answer.status_code)
    assert served.page("/w/1/inbox", cookie=False).status_code == 302


def test_passwords_and_the_addon_work(served: Old) -> None:
    person = served.rig.person(ADMIN)
    assert "Instagram Direct" in person.open("/admin/addons")
    assert "Active" in person.text
    built_in, addon = served.rows("addons")
    assert (built_in["slug"], built_in["state"]) == ("email", "active")
    assert addon["state"] == "active"


def test_files_are_served(served: Old) -> None:
    kept = [row for row in served.recorded("attachments") if row.get("storage_key")]
    assert {row["kind"] for row in kept} >= {"image", "video", "audio", "file"}
    for row in kept:
        answer = served.page(f"/w/{row['workspace_id']}/media/{row['id']}")
        assert answer.status_code == 200, row
        assert hashlib.sha256(answer.content).hexdigest() == row["storage_key"]


def test_programs_read_with_the_keys_they_had(served: Old) -> None:
    assert served.api("/conversations", "Cleo U. key").status_code == 401
    assert served.api("/conversations", "Dan V. key").status_code == 200
    texts = {row.get("text") for row in served.recorded("messages") if row.get("text")}
    read = set()
    for one in served.api("/conversations").json()["data"]:
        answer = served.api(f"/conversations/{one['id']}/messages?limit=100")
        assert answer.status_code == 200, answer.text
        read |= {message["text"] for message in answer.json()["data"]}
    assert texts <= read, texts - read
