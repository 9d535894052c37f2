"""Who may do what with whose objects: every address of the desk, every kind of person, held against a table.

``matrix.toml`` is the reviewed table. An address without a line there fails, so nobody adds a page without
saying who may see it.
"""

from __future__ import annotations

import re
import smtplib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.outside import Outside
from demo.processes import free_port, sandbox_settings
from tests.whole import matrix
from tests.whole.rig import Rig, running, until
from tests.whole.shops import (
    ADMIN,
    POTTERY,
    POTTERY_AGENT,
    POTTERY_OWNER,
    STUDIO,
    STUDIO_AGENT,
    STUDIO_OWNER,
    assistant,
    furnish,
    point_webhooks,
)

HERE = Path(__file__).parent
TABLE = matrix.rows()
REFUSED = "this one is refused"
MESSAGE = "POST /w/<int:workspace_id>/inbox/<int:conversation_id>/messages/<int:message_id>"
FORMS = {
    "POST /addons/instagram/checklist": {"item": "live-mode", "done": "1"},
    "POST /account/theme": {"theme": "dark"},
    "POST /w/<int:workspace_id>/inbox/<int:conversation_id>/read": {"until": "1000000"},
    "POST /w/<int:workspace_id>/inbox/<int:conversation_id>/pushed": {"do": "snooze"},
    f"{MESSAGE}/moderate": {"wanted": "hidden"},
    "POST /w/<int:workspace_id>/settings/people/<int:user_id>/role": {"role": "agent"},
}
"""What a form says where an empty one would be refused before anybody's right to it shows."""
TOKENLESS = {
    "POST /share",
    "POST /notifications/devices/moved",
    "POST /w/<int:workspace_id>/inbox/<int:conversation_id>/pushed",
}
"""No page with a token calls them. They want a secret of the device, or read nothing at all."""
PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
WATCHED = (
    "users",
    "workspaces",
    "memberships",
    "invitations",
    "channel_accounts",
    "sign_ins",
    "conversations",
    "messages",
    "outbox",
    "attachments",
    "uploads",
    "addons",
    "addon_releases",
    "instagram_checklist",
    "api_keys",
    "assistants",
    "assistant_versions",
    "assistant_accounts",
    "assistant_turns",
    "audit_entries",
    "email_asked",
    "email_holdings",
    "knowledge_entries",
    "assistant_cases",
)
ACTORS = {
    "anonymous": ("",),
    "outsider": (STUDIO_AGENT, STUDIO_OWNER),
    "agent": (POTTERY_AGENT,),
    "owner": (POTTERY_OWNER,),
    "admin": (ADMIN,),
}
"""People by the column they stand in; everybody of another workspace stands in one."""


@dataclass
class Scene:
    """A desk with two full workspaces, and the ids of what is in them."""

    rig: Rig
    routes: list[str]
    pottery: dict[str, Any] = field(default_factory=dict)
    studio: dict[str, Any] = field(default_factory=dict)
    people: dict[str, requests.Session] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def sign_in(self, email: str) -> None:
        person = self.rig.person(email)
        person.open("/account" if email else "/login")
        self.tokens[email] = person.forms[-1].values["csrf_token"]
        self.people[email] = person.session

    def call(self, email: str, route: str, ids: dict[str, Any], *, token: bool = True) -> requests.Response:
        """Ask for *route* with *ids* in its places, as whoever has *email*; a POST carries an empty form."""
        method, _, rule = route.partition(" ")
        path = PLACE.sub(lambda place: str(ids[place.group(1)]), rule)
        form = dict(FORMS.get(route, {}))
        if token and method == "POST":
            form["csrf_token"] = self.tokens[email]
        with self.people[email].request(
            method,
            self.rig.url + path,
            data=form,
            allow_redirects=False,
            stream=True,
            # Longer than the desk waits for a model whose name the name server does not answer.
            timeout=60,
        ) as answer:
            if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                answer.content  # noqa: B018 - read before the connection goes back
            return answer


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Scene]:
    yield from staged(tmp_path_factory.mktemp("isolation"), addon_zip)


def staged(folder: Path, addon_zip: Path) -> Iterator[Scene]:
    """Yield a running desk in *folder*, with two full workspaces; end it afterwards."""
    outside = Outside()
    outside.start()
    port = free_port()
    try:
        for rig in running(folder):
            allowed = sandbox_settings(rig.sandbox)["LOBBY_ALLOW_HOSTS"]
            rig.settings["LOBBY_ALLOW_HOSTS"] = f"{allowed},{outside.addresses}"
            rig.settings["LOBBY_SMTP_LISTEN"] = f"127.0.0.1:{port}"
            yield furnished(rig, addon_zip, outside, port)
    finally:
        outside.stop()


def furnished(rig: Rig, addon_zip: Path, outside: Outside, port: int) -> Scene:
    host, _, server = outside.address.partition(":")
    mail = {"name": "Mail", "address": "hello@pottery.example", "smtp_host": host, "smtp_port": server}
    account = {"channel": "email", "workspace": "Pottery", "values": {**mail, "smtp_security": "none"}}
    made = furnish(rig, addon_zip, routes=True, connect=[account])
    home, away = made["workspaces"]["Pottery"], made["workspaces"]["Studio"]
    rig.start()
    point_webhooks(rig)
    scene = Scene(rig, made["routes"])
    for email in [one for column in ACTORS.values() for one in column]:
        scene.sign_in(email)
    owner = rig.person(POTTERY_OWNER)
    owner.open(f"/w/{home}/settings/people")
    owner.press("Create invitation link", {"email": "guest@example.com", "role": "agent"})
    link = re.search(r"/invite/([\w-]+)", owner.html)
    owner.open(f"/w/{home}/settings/api")
    owner.press("Create API key", {"name": "Shop", "scopes": "write"})
    assert link is not None
    for shop in (POTTERY, STUDIO):
        rig.control(
            "POST", "dm", {"account": shop.igid, "customer": shop.customer, "text": f"secret of {shop.page}"}
        )
    send_file(port, "hello@pottery.example")
    rig.control(
        "POST", "faults", {"call": "send", "action": "error", "code": 100, "match": {"text": REFUSED}}
    )
    query = "SELECT m.id, m.conversation_id FROM messages m WHERE m.text = ?"
    found = {
        shop.page: until(lambda shop=shop: rig.rows(query, f"secret of {shop.page}"), "a DM")[0]  # type: ignore[misc]
        for shop in (POTTERY, STUDIO)
    }
    until(
        lambda: rig.value("SELECT COUNT(*) FROM attachments WHERE storage_key IS NOT NULL"),
        "a kept attachment",
    )
    pictured = "SELECT identity_id FROM conversations c JOIN contact_identities i ON i.id = c.identity_id "
    pictured += "WHERE c.id = ? AND i.picture_url IS NOT NULL"
    conversation = found[POTTERY.page]["conversation_id"]
    common = {
        "slug": "instagram",
        "channel": "instagram",
        "name": "verify-token",
        "way": "facebook",
        "uuid": "0123456789abcdef",
        "filename": "lobby.css",
        "language": "de",
        "token": link.group(1),
        "release_id": rig.value("SELECT MAX(id) FROM addon_releases"),
        "event_id": rig.value("SELECT MIN(id) FROM inbound_events"),
        "key_id": rig.value("SELECT MAX(id) FROM api_keys"),
        "asked_id": asked(scene, home, mail),
        "endpoint_id": endpoint(scene, home),
        "figure": "first-response",
        "number": "wrote",
        **kept(scene, home, conversation),
        "delivery_id": 1,
        "parked_id": 1,
        "notification_id": 1,
        "device_id": 1,
        "dismissed_id": 1,
    }
    whose = "SELECT contact_id FROM conversations WHERE id = ?"
    scene.pottery = common | {
        "workspace_id": home,
        "contact_id": rig.value(whose, conversation),
        "conversation_id": found[POTTERY.page]["conversation_id"],
        "message_id": refused(scene, home, found[POTTERY.page]["conversation_id"]),
        "attachment_id": rig.value("SELECT id FROM attachments WHERE storage_key IS NOT NULL"),
        "upload_id": uploaded(scene, home),
        "contact_note_id": 1,
        "identity_id": until(lambda: rig.rows(pictured, conversation), "a customer's picture")[0][0],
        "post_id": post(rig, conversation),
        "turn_id": turn(rig, conversation),
        "call_id": call(rig),
        "account_id": made["accounts"][0],
        "user_id": made["people"][POTTERY_AGENT],
        "member_id": made["people"][POTTERY_AGENT],
        "invitation_id": rig.value("SELECT MAX(id) FROM invitations"),
        "session_id": rig.value(
            "SELECT MAX(s.id) FROM login_sessions s JOIN users u ON u.id = s.user_id WHERE u.email = ?",
            POTTERY_OWNER,
        ),
    }
    scene.studio = common | {
        "workspace_id": away,
        "contact_id": rig.value(whose, found[STUDIO.page]["conversation_id"]),
        "conversation_id": found[STUDIO.page]["conversation_id"],
        "message_id": found[STUDIO.page]["id"],
        "account_id": made["accounts"][1],
        "user_id": made["people"][STUDIO_AGENT],
        "member_id": made["people"][STUDIO_AGENT],
    }
    return scene


def kept(scene: Scene, workspace: int, conversation: int) -> dict[str, int]:
    """Return the ids of what a workspace keeps, and of what the agent did in bulk; there is no merge."""
    contact = scene.rig.value("SELECT contact_id FROM conversations WHERE id = ?", conversation)
    by_hand = assistant(scene.rig, workspace)
    wanted = (
        (POTTERY_OWNER, "settings/labels", {"name": "order", "tone": "red"}),
        (POTTERY_OWNER, "settings/teams", {"name": "Orders"}),
        (POTTERY_OWNER, "settings/attributes", {"name": "Glaze", "kind": "text"}),
        (POTTERY_AGENT, f"contacts/{contact}/notes", {"text": "Rings twice."}),
        (POTTERY_OWNER, "inbox/views?needs=reply", {"name": "To answer", "shared": "1"}),
        (POTTERY_OWNER, "settings/macros/new", {"name": "Done", "whose": "all", "step": "close", "text": ""}),
        (
            POTTERY_OWNER,
            "settings/rules/new",
            {"name": "Done", "when": "message.received", "state": "draft", "then": "close", "then_text": ""},
        ),
        (POTTERY_OWNER, "sequences/new", {"from": "empty"}),
        (
            POTTERY_OWNER,
            "settings/models/new",
            {
                "name": "Large",
                "speaks": "openai",
                "address": "https://models.pottery.example/v1",
                "model": "large-1",
                "currency": "USD",
            },
        ),
        (
            POTTERY_OWNER,
            f"assistants/{by_hand['assistant_id']}/tools/new",
            {
                "name": "order",
                "title": "Order by number",
                "about": "When somebody asks where an order is.",
                "url": "https://shop.pottery.example/orders",
                "parameters": '{"type": "object"}',
                "effect": "reads",
            },
        ),
        (
            POTTERY_OWNER,
            "settings/canned/new",
            {"whose": "all", "shortcut": "thanks", "title": "Thanks", "upload": uploaded(scene, workspace)},
        ),
        (
            POTTERY_AGENT,
            f"inbox/bulk?chosen=ids&ids={conversation}&status=any",
            {"action": "snooze", "when": "reply"},
        ),
    )
    for email, path, fields in wanted:
        form = {"csrf_token": scene.tokens[email], **fields}
        address = f"{scene.rig.url}/w/{workspace}/{path}"
        answer = scene.people[email].post(address, data=form, allow_redirects=False, timeout=10)
        assert answer.status_code == 303, answer.text
    tables = {
        "label_id": "labels",
        "team_id": "teams",
        "attribute_id": "contact_attributes",
        "entry_id": "contact_entries",
        "view_id": "saved_views",
        "bulk_id": "bulk_actions",
        "canned_id": "canned_replies",
        "canned_file_id": "canned_files",
        "macro_id": "macros",
        "rule_id": "rules",
        "sequence_id": "sequences",
        "model_id": "language_models",
        "tool_id": "assistant_tools",
    }
    made = {name: scene.rig.value(f"SELECT MAX(id) FROM {table}") for name, table in tables.items()}
    return {**made, **by_hand, "merge_id": 1, "sequence_run_id": 1, "run_id": 1, "version_id": 1}


def refused(scene: Scene, workspace: int, conversation: int) -> int:
    """Return the id of a reply the provider refused."""
    address = f"{scene.rig.url}/w/{workspace}/inbox/{conversation}/reply"
    form = {"csrf_token": scene.tokens[POTTERY_AGENT], "text": REFUSED, "reply_key": "refused-reply"}
    answer = scene.people[POTTERY_AGENT].post(address, data=form, allow_redirects=False, timeout=10)
    assert answer.status_code == 303, answer.text
    query = "SELECT id FROM messages WHERE text = ? AND state = 'failed'"
    return int(until(lambda: scene.rig.rows(query, REFUSED), "the refusal")[0]["id"])


def asked(scene: Scene, workspace: int, mail: dict[str, str]) -> int:
    """Return the id of an email account that waits to be confirmed."""
    address = f"{scene.rig.url}/w/{workspace}/settings/channels/email/new"
    form = {**mail, "address": "sales@pottery.example", "smtp_security": "none"}
    form["csrf_token"] = scene.tokens[POTTERY_OWNER]
    answer = scene.people[POTTERY_OWNER].post(address, data=form, allow_redirects=False, timeout=20)
    assert answer.status_code == 302, answer.text
    return int(scene.rig.value("SELECT MAX(id) FROM email_asked"))


def endpoint(scene: Scene, workspace: int) -> int:
    """Return the id of an endpoint that is told what happens."""
    address = f"{scene.rig.url}/w/{workspace}/settings/integrations/new"
    form = {"url": "https://crm.example.com/lobby", "events": "note.added"}
    form["csrf_token"] = scene.tokens[POTTERY_OWNER]
    answer = scene.people[POTTERY_OWNER].post(address, data=form, allow_redirects=False, timeout=20)
    assert answer.status_code == 200, answer.text
    return int(scene.rig.value("SELECT MAX(id) FROM endpoints"))


def post(rig: Rig, conversation: int) -> int:
    """Return the id of a post, as if the customer of *conversation* had written below it."""
    made = """
        INSERT INTO posts
            (workspace_id, account_id, external_id, kind, text, url, owner, picture_url, failures, created_at)
        SELECT
            c.workspace_id, c.account_id, 'p1', 'post', 'Mugs', '', '', i.picture_url, 0, c.created_at
        FROM conversations c JOIN contact_identities i ON i.id = c.identity_id WHERE c.id = ?"""
    with closing(sqlite3.connect(rig.data / "lobby.sqlite3", timeout=10)) as desk, desk:
        desk.execute(made, (conversation,))
    return int(rig.value("SELECT MAX(id) FROM posts"))


def turn(rig: Rig, conversation: int) -> int:
    """Return the id of what an assistant would have answered in *conversation*."""
    made = """
        INSERT INTO assistant_turns
            (workspace_id, assistant_id, version, account_id, conversation_id, message_id, messages, mode,
            state, first_at, fence, attempts, text, sources, offers, tokens_in, tokens_out, cost, took_ms,
            outcome, cause_id, root_id, depth, created_at)
        SELECT
            c.workspace_id, a.id, 1, c.account_id, c.id, 1, 1, 'suggest', 'dismissed', c.created_at, 1,
            1, 'Four to six days.', '[]', '[]', 0, 0, 0, 0, 'dismissed', 1, 1, 1, c.created_at
        FROM conversations c JOIN assistants a ON a.workspace_id = c.workspace_id WHERE c.id = ?"""
    with closing(sqlite3.connect(rig.data / "lobby.sqlite3", timeout=10)) as desk, desk:
        desk.execute(made, (conversation,))
    return int(rig.value("SELECT MAX(id) FROM assistant_turns"))


def call(rig: Rig) -> int:
    """Return the id of the use of a tool that somebody decided about."""
    made = """
        INSERT INTO assistant_calls (turn_id, number, tool, arguments, state, result, "key", took_ms, at)
        SELECT MAX(id), 1, 'close', '{}', 'refused', '', 'k', 0, created_at FROM assistant_turns"""
    with closing(sqlite3.connect(rig.data / "lobby.sqlite3", timeout=10)) as desk, desk:
        desk.execute(made)
    return int(rig.value("SELECT MAX(id) FROM assistant_calls"))


def uploaded(scene: Scene, workspace: int) -> str:
    """Return the id of a file that waits to be sent."""
    answer = scene.people[POTTERY_AGENT].post(
        f"{scene.rig.url}/w/{workspace}/uploads",
        data={"csrf_token": scene.tokens[POTTERY_AGENT]},
        files={"file": ("plan.pdf", b"%PDF-1.4 plan")},
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def send_file(port: int, to: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Jon <jon@example.org>", to, "A file"
    mail["Message-ID"] = "<file@example.org>"
    mail.set_content("See the file.")
    mail.add_attachment(b"kept by us", maintype="application", subtype="pdf", filename="plan.pdf")
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        server.send_message(mail)


def fingerprint(rig: Rig) -> dict[str, list[tuple[Any, ...]]]:
    """Return everything that only somebody with a right to it may change."""
    queries = {table: f"SELECT * FROM {table}" for table in WATCHED}
    # Its job notes in the same row when it looked last.
    queries["instagram_accounts"] = (
        "SELECT id, page_id, token, app_secret, verify_token FROM instagram_accounts"
    )
    return {table: sorted(map(tuple, rig.rows(query)), key=repr) for table, query in queries.items()}


def outcome(answer: requests.Response) -> int | str:
    """Return the status, or ``login`` for being sent to the login page and back."""
    if answer.status_code in {302, 303} and "/login?next=" in answer.headers["Location"]:
        return "login"
    return answer.status_code


def says_no(expected: object) -> bool:
    return expected in {"login", 401, 403, 404}


def of_the_api(route: str) -> bool:
    """Tell whether *route* is opened by keys: tests/api holds them to their own table."""
    return route.partition(" ")[2].startswith("/api/v1/")


def test_every_address_has_a_line_in_the_table(scene: Scene) -> None:
    pages = [route for route in scene.routes if not of_the_api(route)]
    assert sorted(pages) == sorted(TABLE), "review matrix.toml: addresses came or went"
    for route, line in TABLE.items():
        assert set(line) - {"crossed"} == set(ACTORS), route


def test_who_has_no_right_gets_the_refusal_of_the_table_and_changes_nothing(scene: Scene) -> None:
    before = fingerprint(scene.rig)
    wrong = [
        f"{email or 'nobody'}: {route} answered {got}, the table says {TABLE[route][column]}"
        for column, emails in ACTORS.items()
        for email in emails
        for route in TABLE
        if says_no(TABLE[route][column])
        and (got := outcome(scene.call(email, route, scene.pottery))) != TABLE[route][column]
    ]
    assert not wrong, "\n".join(wrong)
    assert fingerprint(scene.rig) == before


def test_being_signed_in_opens_nothing_of_the_api(scene: Scene) -> None:
    before = fingerprint(scene.rig)
    routes = [route for route in scene.routes if of_the_api(route) and not route.endswith("/openapi.json")]
    assert len(routes) > 5
    wrong = [
        f"{email or 'nobody'}: {route} answered {answer.status_code}"
        for email in ("", POTTERY_OWNER, ADMIN)
        for route in routes
        if (answer := scene.call(email, route, scene.pottery)).status_code != 401
    ]
    assert not wrong, "\n".join(wrong)
    assert fingerprint(scene.rig) == before


def test_a_limited_key_lists_nothing_of_other_accounts(scene: Scene) -> None:
    home = scene.pottery["workspace_id"]
    counted = "SELECT account_id, COUNT(*) FROM messages WHERE workspace_id = ? GROUP BY account_id"
    until(lambda: len(scene.rig.rows(counted, home)) > 1, "messages on two accounts")
    for account in [row[0] for row in scene.rig.rows(counted, home)]:
        bearer = {"Authorization": f"Bearer {limited_key(scene, home, account)}"}
        here = "WHERE workspace_id = ? AND account_id = ?"
        wanted = {row[0] for row in scene.rig.rows(f"SELECT id FROM messages {here}", home, account)}
        for query in ({}, {"sort": "oldest"}, {"updatedSince": "2026-01-01T00:00:00Z"}):
            assert set(listed(scene, "/messages", bearer, query)) == wanted, query
        talks = {row[0] for row in scene.rig.rows(f"SELECT id FROM conversations {here}", home, account)}
        assert set(listed(scene, "/conversations", bearer, {})) == talks
        found: list[int] = []
        for contact in listed(scene, "/contacts", bearer, {}):
            found += listed(scene, f"/contacts/{contact}/conversations", bearer, {})
        assert set(found) == talks


def limited_key(scene: Scene, workspace: int, account: int) -> str:
    """Return a key that an owner limited to an account."""
    form = {"name": "Part", "scopes": "read", "see": "some", "account": str(account)}
    form["csrf_token"] = scene.tokens[POTTERY_OWNER]
    page = scene.people[POTTERY_OWNER].post(
        f"{scene.rig.url}/w/{workspace}/settings/api", data=form, timeout=60
    )
    found = re.search(r'id="api-key" value="([^"]+)"', page.text)
    assert found is not None, page.status_code
    return found[1]


def listed(scene: Scene, path: str, headers: dict[str, str], query: dict[str, str]) -> list[int]:
    """Return the ids on all pages of a list, of one entry each."""
    found: list[int] = []
    asked = {**query, "limit": "1"}
    for _page in range(200):
        answer = requests.get(f"{scene.rig.url}/api/v1{path}", asked, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        found += [one["id"] for one in answer.json()["data"]]
        if answer.json()["next"] is None:
            return found
        asked["cursor"] = answer.json()["next"]
    raise AssertionError(f"{path} does not end")


def test_the_own_workspace_is_no_way_to_an_object_of_another(scene: Scene) -> None:
    """Studio's owner asks below Studio's own address for what belongs to the Pottery."""
    before = fingerprint(scene.rig)
    wrong = []
    for route, line in TABLE.items():
        places = set(PLACE.findall(route)) - {"workspace_id"}
        for foreign in places & {
            "conversation_id",
            "message_id",
            "attachment_id",
            "upload_id",
            "identity_id",
            "post_id",
            "account_id",
            "user_id",
            "invitation_id",
            "key_id",
            "asked_id",
            "endpoint_id",
            "label_id",
            "team_id",
            "view_id",
            "bulk_id",
            "canned_id",
            "canned_file_id",
            "macro_id",
            "rule_id",
            "sequence_id",
            "assistant_id",
            "turn_id",
            "call_id",
            "knowledge_id",
            "case_id",
            "contact_id",
            "attribute_id",
        }:
            ids = {**scene.pottery, **scene.studio, foreign: scene.pottery[foreign]}
            got = outcome(scene.call(STUDIO_OWNER, route, ids))
            expected = line.get("crossed", 404)
            if got != expected:
                wrong.append(f"{route} with the Pottery's {foreign} answered {got}, not {expected}")
    assert not wrong, "\n".join(wrong)
    assert fingerprint(scene.rig) == before


def test_nobody_of_another_workspace_can_be_given_a_conversation(scene: Scene) -> None:
    ids = scene.pottery
    form = {"csrf_token": scene.tokens[POTTERY_OWNER], "assignee": str(scene.studio["user_id"])}
    address = f"{scene.rig.url}/w/{ids['workspace_id']}/inbox/{ids['conversation_id']}/assign"
    assert 400 <= scene.people[POTTERY_OWNER].post(address, data=form, timeout=10).status_code < 500
    found = scene.rig.value("SELECT assignee_id FROM conversations WHERE id = ?", ids["conversation_id"])
    assert found != scene.studio["user_id"]


@pytest.mark.slow
def test_a_form_without_its_token_is_refused_for_everybody(scene: Scene) -> None:
    before = fingerprint(scene.rig)
    wrong = [
        f"{email or 'nobody'}: {route} answered {answer.status_code} without a token"
        for emails in ACTORS.values()
        for email in emails
        for route in TABLE
        if route.startswith("POST ")
        and (answer := scene.call(email, route, scene.pottery, token=False)).status_code != 400
        and route not in TOKENLESS
        # Where files are taken, whoever is not signed in is sent away before the form is read.
        and (email or outcome(answer) not in {"login", 401})
    ]
    assert not wrong, "\n".join(wrong)
    assert fingerprint(scene.rig) == before


def test_another_sites_page_may_not_post_even_with_a_token(scene: Scene) -> None:
    session = scene.people[POTTERY_OWNER]
    form = {"csrf_token": scene.tokens[POTTERY_OWNER], "name": "Taken over"}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        address = f"{scene.rig.url}/w/{scene.pottery['workspace_id']}/settings/general"
        assert session.post(address, data=form, headers=headers, timeout=10).status_code == 403
    assert scene.rig.value("SELECT COUNT(*) FROM workspaces WHERE name = 'Taken over'") == 0


def test_updates_and_live_events_of_one_workspace_name_nothing_of_another(scene: Scene) -> None:
    mine, theirs = scene.studio, scene.pottery
    session = scene.people[STUDIO_OWNER]
    ids = f"rows={theirs['conversation_id']},{mine['conversation_id']}"
    more = f"conversation={theirs['conversation_id']}&messages={theirs['message_id']}&head=1&composer=1"
    inbox = f"{scene.rig.url}/w/{mine['workspace_id']}/inbox"
    told = session.get(f"{inbox}/updates?{ids}&{more}", timeout=10).text
    told += session.get(
        f"{inbox}/updates?conversation={mine['conversation_id']}&messages={theirs['message_id']}", timeout=10
    ).text
    waiting = f"reply-{theirs['conversation_id']}-0,reply-{mine['conversation_id']}-0"
    told += session.get(f"{inbox}/since?waiting={waiting}", timeout=10).text
    told += session.get(f"{scene.rig.url}/w/{mine['workspace_id']}/live/poll?after=0", timeout=10).text
    copied = session.get(f"{scene.rig.url}/w/{mine['workspace_id']}/offline", timeout=10).json()
    assert theirs["conversation_id"] not in copied["conversations"]
    assert f"secret of {STUDIO.page}" in told
    assert f"secret of {POTTERY.page}" not in told


def test_looking_changes_nothing(scene: Scene) -> None:
    """ASVS 3.5.3: no GET of anybody changes a row. Those that are refused are asked above."""
    before = fingerprint(scene.rig)
    for route, line in TABLE.items():
        for column, emails in ACTORS.items():
            if route.startswith("GET ") and not says_no(line[column]):
                for email in emails:
                    scene.call(email, route, scene.pottery)
    assert fingerprint(scene.rig) == before


@pytest.mark.slow
def test_the_table_would_not_let_a_wrong_answer_pass(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard guards: a table that expects a refusal where the desk says yes goes red."""
    monkeypatch.setitem(TABLE, "GET /account", {**TABLE["GET /account"], "agent": 404})
    with pytest.raises(AssertionError, match="answered 200, the table says 404"):
        test_who_has_no_right_gets_the_refusal_of_the_table_and_changes_nothing(scene)


def test_whoever_may_gets_what_the_table_says(scene: Scene) -> None:
    """Last, and in the table's order: the end of it is destructive."""
    wrong = [
        f"{email or 'nobody'}: {route} answered {got}, the table says {expected}"
        for route, line in TABLE.items()
        for column, expected in line.items()
        if column in ACTORS and not says_no(expected)
        for email in ACTORS[column]
        if (got := outcome(scene.call(email, route, scene.pottery))) != expected
    ]
    assert not wrong, "\n".join(wrong)
