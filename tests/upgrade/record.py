"""Record a desk of an earlier Lobby, with one of everything in it, for ``test_old_desk``.

Run it once for a release, and check in the file it writes::

    git worktree add /tmp/old COMMIT
    python -m tests.upgrade.record /tmp/old tests/upgrade/desks/NAME.backup

The old checkout's own programs run: its sandbox, its desk, its demo. What COMMIT needs and this checkout's
environment lacks stands on ``PYTHONPATH``. Only the export is today's, which reads any tables.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

HERE = Path(__file__).resolve().parents[2]
PASSPHRASE = "of a desk nobody uses"
KINDS = (
    "image video audio file sticker several gif like_heart story_mention story_reply reply quick_reply share "
    "ig_post ig_reel story ephemeral unsupported fallback ad product postback referral reaction read edit "
    "comment unknown"
)
ANA, KIT, ROSA = "1026000000000001", "1026000000000002", "1026000000000003"
PICTURE = HERE / "docs" / "pictures" / "health.png"
SOUND = HERE / "tests" / "media" / "sounds"


def main() -> None:
    old, target = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    if os.environ.get("RECORDING") != str(old):
        path = os.pathsep.join([str(old), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "RECORDING": str(old), "PYTHONPATH": path}
        command = [sys.executable, __file__, str(old), str(target)]
        sys.exit(subprocess.call(command, cwd=old, env=environment))
    data = Path(tempfile.mkdtemp(prefix="old-desk-")) / "data"
    data.mkdir()
    live(data)
    subprocess.run(
        [sys.executable, "-m", "tests.upgrade.export", str(data), str(target)],
        cwd=HERE,
        env={name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "RECORDING"}},
        check=True,
    )


def live(data: Path) -> None:
    """Have a team work with a desk in *data*, and stop it in the middle of things."""
    from demo.__main__ import desk_settings, play
    from demo.journey import Journey
    from demo.outside import Outside
    from demo.processes import Host, Sandbox, free_port

    sandbox, outside = Sandbox.start(), Outside()
    outside.start()
    port = free_port()
    settings = desk_settings(sandbox, outside, free_port())
    settings |= {"LOBBY_PUBLIC_FILES": "0"}
    host = Host.start(data, port=port, settings=settings)
    try:
        journey = Journey(sandbox, host, outside, int(settings["LOBBY_SMTP_LISTEN"].rpartition(":")[2]))
        assert not play(journey)
        team(journey)
        team_program(journey, data)
        host.program.stop()
        # What comes and what is written from here on waits.
        host = Host.start(data, port=port, settings={**settings, "LOBBY_WORKERS": "0"})
        waiting(journey, data)
        host.program.stop()
        host = Host.start(
            data, port=port, settings={**settings, "LOBBY_WORKERS": "0", "LOBBY_SAFE_MODE": "1"}
        )
        journey.control("POST", "dm", {"customer": "kit.makes.sample", "text": "Undecided"})
        journey.control("POST", "wait", {"timeout": 10})
        host.program.stop()
        host = Host.start(data, port=port, settings={**settings, "LOBBY_WORKERS": "0"})
        spooled(journey, host.program, data)
    finally:
        host.program.kill()
        outside.stop()
        sandbox.program.stop()


def team(j: Any) -> None:
    """People, places and keys."""
    from demo.person import Person

    home = f"/w/{j.workspace}"
    for email, name, leaves in (("cleo@example.com", "Cleo U.", True), ("dan@example.com", "Dan V.", False)):
        j.admin.open(f"{home}/settings/team")
        j.admin.press("Create invitation link", {"email": email, "role": "owner"})
        link = re.search(r'value="([^"]+/invite/[^"]+)"', j.admin.html)
        assert link
        person = Person(j.host.url)
        person.open(link.group(1))
        person.press(
            "Join", {"name": name, "password": "correct horse battery", "again": "correct horse battery"}
        )
        j.notes[f"{name} key"] = key(person, home, f"Key of {name}", "write")
        if leaves:
            j.admin.open(f"{home}/settings/team")
            user = re.search(rf"{re.escape(email)}.*?/settings/team/(\d+)/remove", j.admin.html, re.DOTALL)
            assert user
            form(j.admin, f"{home}/settings/team/{user.group(1)}/remove")
    j.notes["cookie"] = "; ".join(f"{one.name}={one.value}" for one in j.admin.session.cookies)
    j.notes["key"] = key(j.admin, home, "Shop", "write")
    key(j.admin, home, "Nightly export", "read")
    ended = re.search(
        r"Nightly export.*?/settings/api/(\d+)/revoke",
        j.admin.open(f"{home}/settings/api") and j.admin.html,
        re.DOTALL,
    )
    assert ended
    form(j.admin, f"{home}/settings/api/{ended.group(1)}/revoke")
    j.admin.open("/admin/workspaces")
    form(j.admin, "/admin/workspaces", name="Sample Studio", mine="y", email="")
    j.admin.open(f"{home}/settings/team")
    j.admin.press("Create invitation link", {"email": "later@example.com", "role": "agent"})


def key(person: Any, home: str, name: str, scopes: str) -> str:
    person.open(f"{home}/settings/api")
    person.press("Make a key", {"name": name, "scopes": scopes})
    found = re.search(r'id="api-key"[^>]*value="([^"]+)"', person.html)
    assert found, person.text
    return found.group(1)


def form(person: Any, address: str, **values: str) -> None:
    """Send the form that posts to *address*."""
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', person.html)
    assert token
    answer = person.session.post(
        f"{person.desk}{address}",
        data={"csrf_token": token.group(1), **values},
        headers={"Referer": person.url, "Origin": person.desk},
        timeout=60,
    )
    assert answer.status_code < 400, (address, answer.status_code, answer.text[:2000])


def api(j: Any, method: str, path: str, body: object = None, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {j.notes['key']}", **more.pop("headers", {})}
    answer = requests.request(
        method, f"{j.host.url}/api/v1{path}", json=body, headers=headers, timeout=30, **more
    )
    assert answer.status_code < 400, (path, answer.status_code, answer.text)
    return answer.json()


def conversation(j: Any, who: str) -> int:
    """Return the conversation with the contact of this external id."""
    found = api(j, "GET", "/conversations")["data"]
    return next(int(one["id"]) for one in found if one["contact"]["externalId"] == who)


def team_program(j: Any, data: Path) -> None:
    """Messages of every kind, both ways, and replies that came to every end."""
    from demo.journey import until
    from demo.outside import write_mail

    for kind in KINDS.split():
        j.control(
            "POST",
            "dm",
            {"customer": "ana.sample", "kind": kind, "text": f"As {kind} 😀 é", "reaction": "wow"},
        )
        j.control("POST", "wait", {"timeout": 10})
    j.control("POST", "dm", {"customer": "ana.sample", "text": "Forget this"})
    j.control("POST", "wait", {"timeout": 10})
    j.control("POST", "dm", {"customer": "ana.sample", "kind": "unsend"})
    j.control("POST", "native-reply", {"customer": "ana.sample", "text": "From the phone of the shop"})
    for customer in ("kit.makes.sample", "rosa.sample"):
        j.control("POST", "dm", {"customer": customer, "text": f"Hello, this is {customer}"})
    j.control(
        "POST", "webhook/raw", {"body": '{"object": "instagram", "entry": [{"id": 1}]}', "signature": "right"}
    )
    j.control("POST", "webhook/raw", {"body": "{}", "signature": "wrong"})
    love = {"mid": "m_nobody_has", "action": "react", "reaction": "love", "emoji": "❤"}
    j.control("POST", "events", {"messaging": {"sender": {"id": ROSA}, "reaction": love}})
    j.control(
        "POST", "events", {"messaging": {"sender": {"id": ROSA}, "message": {"mid": 17, "text": ["odd"]}}}
    )
    j.control("POST", "wait", {"timeout": 20})
    until(lambda: len(api(j, "GET", "/conversations")["data"]) >= 4, "all conversations")
    ana, kit, rosa, mail = (conversation(j, who) for who in (ANA, KIT, ROSA, "jon@example.org"))
    write_mail(
        j.smtp_port,
        sender="jon@example.org",
        name="Jon B.",
        to="hello@pottery.example",
        subject="Re: Wholesale prices",
        text="Thank you.\n\nJon",
        message_id="<second@example.org>",
    )
    for name in ("picture.png", "two.png"):
        sent = api(j, "POST", "/uploads", files={"file": (name, PICTURE.read_bytes(), "image/png")})
        api(
            j,
            "POST",
            "/messages",
            {"kind": "image", "conversationId": ana, "files": [{"upload": sent["id"]}]},
        )
    api(j, "POST", "/messages", {"kind": "sticker", "conversationId": ana})
    api(
        j,
        "POST",
        "/messages",
        {"kind": "text", "conversationId": ana, "text": "Two? https://example.com <b>&amp;"},
        headers={"Idempotency-Key": "the-first"},
    )
    api(j, "POST", f"/conversations/{ana}/notes", {"text": "She asked twice"})
    newest = [
        m
        for m in api(j, "GET", f"/conversations/{ana}/messages")["data"]
        if m["direction"] == "inbound" and m["text"]
    ]
    api(j, "POST", f"/messages/{newest[0]['id']}/reactions", {"emoji": "❤️"})
    members = api(j, "GET", "/members")["data"]
    api(j, "PATCH", f"/conversations/{mail}", {"assignee": members[-1]["id"]})
    api(j, "PATCH", f"/conversations/{mail}", {"status": "closed"})
    until(lambda: pending(data) == 0, "everything sent", 30)
    # One that the provider will not take, one it never confirms, and one that waits for new credentials.
    j.control(
        "POST",
        "faults",
        {
            "call": "send",
            "action": "error",
            "code": 10,
            "subcode": 2534022,
            "status": 400,
            "times": 1,
            "match": {"customer": ROSA},
        },
    )
    api(j, "POST", "/messages", {"kind": "text", "conversationId": rosa, "text": "This one is refused"})
    until(lambda: pending(data) == 0, "the refusal", 30)
    j.control(
        "POST",
        "faults",
        {"call": "graph", "action": "error", "status": 500, "code": 2, "match": {"method": "GET"}},
    )
    j.control(
        "POST",
        "faults",
        {"call": "send", "action": "reset", "when": "after", "times": 1, "match": {"customer": KIT}},
    )
    j.control("POST", "faults", {"call": "echo", "action": "drop"})
    api(
        j, "POST", "/messages", {"kind": "text", "conversationId": kit, "text": "Arrived, and nobody said so"}
    )
    time.sleep(3)


def pending(data: Path) -> int:
    connection = sqlite3.connect(f"file:{data / 'lobby.sqlite3'}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM outbox WHERE open").fetchone()[0])
    finally:
        connection.close()


def waiting(j: Any, data: Path) -> None:
    """Leave replies in the outbox, events in the journal, a request in the spool, a file nobody sent."""
    ana, rosa = conversation(j, ANA), conversation(j, ROSA)
    for number in range(3):
        api(j, "POST", "/messages", {"kind": "text", "conversationId": ana, "text": f"Queued {number}"})
    api(j, "POST", "/messages", {"kind": "text", "conversationId": rosa, "text": "Queued for Rosa"})
    sent = api(j, "POST", "/uploads", files={"file": ("waits.png", PICTURE.read_bytes(), "image/png")})
    api(j, "POST", "/messages", {"kind": "image", "conversationId": ana, "files": [{"upload": sent["id"]}]})
    api(j, "POST", "/uploads", files={"file": ("unsent.png", PICTURE.read_bytes() + b"\0", "image/png")})
    for number in range(2):
        j.control("POST", "dm", {"customer": "ana.sample", "text": f"Journalled {number}"})
    j.control("POST", "wait", {"timeout": 10})
    (data / "notes.json").write_text(json.dumps(j.notes))


def spooled(j: Any, program: Any, data: Path) -> None:
    """Leave a request in the spool: the database does not answer, and then the desk dies."""
    blocker = sqlite3.connect(data / "lobby.sqlite3", isolation_level=None, timeout=30)
    blocker.execute("BEGIN IMMEDIATE")
    j.control("POST", "dm", {"customer": "rosa.sample", "text": "Spooled"})
    deadline = time.monotonic() + 90
    while not list((data / "spool").glob("*.request")):
        assert time.monotonic() < deadline, "nothing was spooled"
        time.sleep(0.1)
    program.kill()
    blocker.rollback()
    blocker.close()


if __name__ == "__main__":
    main()
