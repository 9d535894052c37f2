"""No credential is anywhere but sealed in the database: not in pages, JSON, logs, files or a dump of it."""

from __future__ import annotations

import datetime
import ipaddress
import re
import sqlite3
import ssl
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.person import PageError, Person
from demo.processes import CHECKOUT, free_port, sandbox_settings
from tests.whole.canaries import Hunt, crawl, forms, made_up
from tests.whole.rig import QUICK, Rig, running, until
from tests.whole.shops import ADMIN, POTTERY, POTTERY_AGENT, POTTERY_OWNER, prepare

pytestmark = pytest.mark.slow

APP = "5550000000000001"


@pytest.mark.parametrize("form", list(forms("EAAvalue")))
def test_the_hunt_finds_a_secret_in_every_form(form: str) -> None:
    value = made_up()
    hunt = Hunt({"token": value})
    around = b"x" * (3 + int(form[-1])) if form[-1].isdigit() else b"xx"
    hunt.look("here", around + forms(value)[form] + b"yy")
    assert any(form in line for line in hunt.seen)
    hunt.seen.clear()
    hunt.look("there", forms(value)[form][:-1] + b"!")
    assert hunt.seen == []


def test_the_hunt_finds_base64_of_a_longer_text() -> None:
    import base64

    value = made_up()
    for before in ("", "a", "ab", "abc"):
        hunt = Hunt({"token": value})
        hunt.look("here", base64.b64encode(f"{before}{value} and more".encode()))
        assert hunt.seen, before


WARNINGS_FROM = "desk@lobby.example"


class MailServer:
    """An SMTP server with TLS that knows its passwords, and quotes what it was given where it is another.

    It takes the desk's own mail, the second time, and no other.
    """

    def __init__(self, folder: Path, password: str, *others: str) -> None:
        self.port = free_port()
        self.password = password
        self.passwords = {password, *others}
        self.taken: list[bytes] = []
        self.refused = 0
        self.certificate = folder / "authority.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_certificate(folder))
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=context,
            authenticator=self._authenticate,
            auth_require_tls=False,
        )
        self._controller.start()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        if given.password.decode() in self.passwords:
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 no: {given.password.decode()}")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if envelope.mail_from == WARNINGS_FROM and self.refused:
            assert isinstance(envelope.content, bytes)
            self.taken.append(envelope.content)
            return "250 OK"
        self.refused += envelope.mail_from == WARNINGS_FROM
        return f"550 not today, {' '.join(self.passwords)}"

    def close(self) -> None:
        self._controller.stop()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost that signs itself; whoever trusts it is our desk alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "authority.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private


@dataclass
class Story:
    """A desk in which every secret has been used, mistyped, replaced and refused."""

    rig: Rig
    hunt: Hunt
    workspace: int
    server: MailServer
    people: dict[str, Person] = field(default_factory=dict)

    def press(self, who: str, button: str, values: dict[str, str], *, allowed: tuple[str, ...] = ()) -> str:
        """Press a button and search what comes back, also where it is an error."""
        person = self.people[who]
        with suppress(PageError):  # what it says is searched all the same
            person.press(button, values)
        place = f"{who} after {button!r} at {person.url}"
        self.hunt.look(place, person.html, allowed=(*allowed, *allowed_at(person.url, who)))
        return person.text

    @property
    def channels(self) -> str:
        return f"/w/{self.workspace}/settings/channels"


def allowed_at(url: str, who: str) -> tuple[str, ...]:
    """Return the secrets a page may show: to an owner, on Channels and below, the verify token in use."""
    owners_page = re.search(r"/w/\d+/settings/channels(/accounts/\d+)?$", url.split("#", maxsplit=1)[0])
    return ("verify token",) if owners_page and who in {POTTERY_OWNER, ADMIN} else ()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Story]:
    """Tell the whole story; the tests below look at what it left."""
    folder = tmp_path_factory.mktemp("canaries")
    secrets = {
        "token": f"EAA{made_up()}",
        "replaced token": f"EAA{made_up()}",
        "unknown token": f"EAA{made_up()}",
        "app secret": made_up(32),
        "wrong app secret": made_up(32),
        "verify token": f"verify-{made_up()}",
        "stopped verify token": f"verify-{made_up()}",
        "smtp password": f"pass {made_up()}+/é",
        "wrong smtp password": f"nope {made_up()}",
        "mail password": f"mail {made_up()}+/é",
        "own app secret": made_up(32),
        "wrong own app secret": made_up(32),
    }
    server = MailServer(folder, secrets["smtp password"], secrets["mail password"])
    try:
        for rig in running(folder, command=(str(QUICK),), settings={"LOBBY_LOG_LEVEL": "DEBUG"}):
            allowed = sandbox_settings(rig.sandbox)["LOBBY_ALLOW_HOSTS"]
            rig.settings["LOBBY_ALLOW_HOSTS"] = f"{allowed},localhost:{server.port}"
            rig.settings["SSL_CERT_FILE"] = str(server.certificate)
            password = quote(secrets["mail password"], safe="")
            rig.settings["LOBBY_MAIL_SERVER"] = f"smtps://desk:{password}@localhost:{server.port}"
            rig.settings["LOBBY_MAIL_FROM"] = WARNINGS_FROM
            rig.lobby("migrate")
            people = [
                {"email": ADMIN, "name": "Ada", "admin": True, "roles": {"Pottery": "owner"}},
                {"email": POTTERY_OWNER, "name": "Ola", "roles": {"Pottery": "owner"}},
                {"email": POTTERY_AGENT, "name": "Ari", "roles": {"Pottery": "agent"}},
            ]
            made = prepare(rig, {"workspaces": ["Pottery"], "people": people, "zip": str(addon_zip)})
            rig.start()
            story = Story(rig, Hunt(secrets), made["workspaces"]["Pottery"], server)
            for email in (ADMIN, POTTERY_OWNER, POTTERY_AGENT):
                story.people[email] = rig.person(email)
            rig.control("POST", "apps", {"id": APP, "name": "Canary", "secret": secrets["app secret"]})
            for name in ("replaced token", "token"):
                rig.control("POST", "tokens", {"app": APP, "page": POTTERY.page, "value": secrets[name]})
            connect_an_account(story)
            receive_and_answer(story)
            lose_the_token(story)
            diagnose(story)
            bring_an_own_app(story)
            connect_mail(story, server)
            yield story
    finally:
        server.close()


def connect_an_account(story: Story) -> None:
    secrets, owner = story.hunt.secrets, story.people[POTTERY_OWNER]
    given = {
        "name": "Canary",
        "page_id": POTTERY.page,
        "ig_user_id": POTTERY.igid,
        "page_access_token": secrets["replaced token"],
        "app_secret": secrets["app secret"],
    }
    form = f"{story.channels}/instagram/new"
    wrong: list[dict[str, str]] = [
        {"page_access_token": secrets["unknown token"]},
        {"app_secret": secrets["wrong app secret"]},
        {
            "page_id": secrets["token"],
            "page_access_token": secrets["app secret"],
            "app_secret": secrets["token"],
        },
        {"name": secrets["token"], "ig_user_id": secrets["app secret"], "page_name": secrets["app secret"]},
        {"page_id": ""},
        {"ig_user_id": "17841499999999999"},
    ]
    for values in wrong:
        owner.open(form)
        assert "Not saved" in story.press(POTTERY_OWNER, "Save and check", {**given, **values})
    # The provider quotes a token it does not like, and a secret, in its own words.
    for name in ("replaced token", "app secret"):
        said = f"Malformed access token {secrets[name]} for this app"
        fault = {"call": "me", "action": "error", "code": 190, "message": said}
        rule = story.rig.control("POST", "faults", fault)
        owner.open(form)
        assert "Not saved" in story.press(POTTERY_OWNER, "Save and check", given)
        story.rig.control("DELETE", f"faults/{rule['id']}")
    owner.open(form)
    assert "Connected" in story.press(POTTERY_OWNER, "Save and check", given)
    for name in ("stopped verify token", "verify token"):
        owner.open(story.channels)
        story.press(POTTERY_OWNER, "New Verify Token", {"verify_token": secrets[name]}, allowed=(name,))
    owner.open(story.channels)
    owner.expect("@sample.pottery")
    assert secrets["verify token"] in owner.html


def receive_and_answer(story: Story) -> None:
    rig, secrets = story.rig, story.hunt.secrets
    address = f"{rig.url}/addons/instagram/webhook"
    body = {"app": APP, "callback_url": address, "verify_token": secrets["verify token"]}
    rig.control("POST", "webhook", body)
    for token in (secrets["stopped verify token"], secrets["verify token"] + "x"):
        query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
        story.hunt.look_at("a refused verification", _bare(requests.get(address, params=query, timeout=10)))
    rig.control("POST", "dm", {"account": POTTERY.igid, "customer": POTTERY.customer, "text": "hello"})
    conversation = until(lambda: rig.rows("SELECT id FROM conversations"), "a conversation")[0]["id"]
    for signature in ("wrong", "none", f"sha256={secrets['app secret']}"):
        raw = {"app": APP, "body": {"object": "instagram", "entry": []}, "signature": signature}
        rig.control("POST", "webhook/raw", raw)
    rig.control("POST", "webhook/raw", {"app": APP, "body": "not json", "signature": "right"})
    said = f"No, {secrets['replaced token']} and {secrets['app secret']} cannot do that"
    faults = [
        {"call": "send", "action": "error", "code": 100, "message": said, "match": {"text": "refused"}},
        {"call": "send", "action": "error", "code": 2, "message": said, "match": {"text": "odd"}},
        {"call": "send", "action": "error", "status": 500, "match": {"text": "broken"}},
        {"call": "send", "action": "garbage", "text": said, "match": {"text": "garbage"}},
        {"call": "profile", "action": "error", "code": 100, "message": said},
    ]
    rig.control("POST", "faults", faults)
    agent = story.people[POTTERY_AGENT]
    for text in ("refused", "odd", "broken", "garbage"):
        agent.open(f"/w/{story.workspace}/inbox/{conversation}")
        story.press(POTTERY_AGENT, "Send", {"text": text})
    query = "SELECT COUNT(*) FROM messages WHERE state IN ('failed', 'unknown', 'sent')"
    until(lambda: rig.value(query) == 4, "every answer being decided", 40)


def _bare(answer: requests.Response) -> requests.Response:
    """Return *answer* as if its address, which we wrote ourselves, were not part of it."""
    answer.url = ""
    return answer


def lose_the_token(story: Story) -> None:
    rig, secrets = story.rig, story.hunt.secrets
    tokens = {one["value"]: one["id"] for one in rig.control("GET", "state")["tokens"]}
    rig.control("DELETE", "faults")
    rig.control("PATCH", f"tokens/{tokens[secrets['replaced token']]}", {"valid": False, "subcode": 460})
    agent, owner = story.people[POTTERY_AGENT], story.people[POTTERY_OWNER]
    conversation = rig.value("SELECT MIN(id) FROM conversations")
    agent.open(f"/w/{story.workspace}/inbox/{conversation}")
    story.press(POTTERY_AGENT, "Send", {"text": "held back"})
    until(
        lambda: rig.value("SELECT state FROM channel_accounts") == "needs_reconnect", "asking for a reconnect"
    )
    for path in (story.channels, f"{story.channels}/accounts/1"):
        owner.open(path)
        story.hunt.look(f"the owner's {path}", owner.html, allowed=allowed_at(owner.url, POTTERY_OWNER))
    values = {"page_access_token": secrets["token"]}
    # The card says *Receiving* already if something came meanwhile.
    assert "@sample.pottery is connected." in story.press(POTTERY_OWNER, "Save and check", values)
    until(
        lambda: rig.rows("SELECT 1 FROM messages WHERE text = 'held back' AND state = 'sent'"), "going on", 30
    )


def diagnose(story: Story) -> None:
    """Look at everything while Meta quotes credentials, on the page and from the command line."""
    rig, secrets, owner = story.rig, story.hunt.secrets, story.people[POTTERY_OWNER]
    said = f"Not with {secrets['token']} and {secrets['app secret']}"
    for call in ("conversations", "debug_token", "subscribe", "other", "page"):
        rig.control("POST", "faults", {"call": call, "action": "error", "code": 100, "message": said})
    owner.open(story.channels)
    assert "Unknown" in story.press(POTTERY_OWNER, "Diagnose", {})
    story.hunt.look("doctor", doctor_says(rig, "--json"))
    story.hunt.look("doctor for people", doctor_says(rig))
    rig.control("DELETE", "faults")
    until(lambda: len(story.server.taken) >= 1, "the second try to mail a warning", 30)


def doctor_says(rig: Rig, *arguments: str) -> str:
    """Run ``lobby doctor`` beside the desk; return all it wrote, whatever it found."""
    done = subprocess.run(
        [sys.executable, *rig.command, "doctor", *arguments],
        cwd=CHECKOUT,
        env=rig.environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "self-test" in done.stdout or "test event" in done.stdout, done.stdout + done.stderr
    return done.stdout + done.stderr


def bring_an_own_app(story: Story) -> None:
    secrets, owner = story.hunt.secrets, story.people[POTTERY_OWNER]
    own = "5550000000000002"
    story.rig.control("POST", "apps", {"id": own, "name": "Own", "secret": secrets["own app secret"]})
    page = f"{story.channels}/instagram/settings"
    said = f"No, not {secrets['own app secret']}"
    rule = story.rig.control(
        "POST", "faults", {"call": "oauth", "action": "error", "code": 100, "message": said}
    )
    owner.open(page)
    given = {"facebook_app_id": own, "facebook_app_secret": secrets["own app secret"]}
    assert "Not saved" in story.press(POTTERY_OWNER, "Save and check", given)
    story.rig.control("DELETE", f"faults/{rule['id']}")
    for values in (
        {"facebook_app_secret": secrets["wrong own app secret"]},
        {"facebook_app_id": secrets["own app secret"]},
    ):
        owner.open(page)
        assert "Not saved" in story.press(POTTERY_OWNER, "Save and check", {**given, **values})
    owner.open(page)
    assert "Saved" in story.press(POTTERY_OWNER, "Save and check", given)


def connect_mail(story: Story, server: MailServer) -> None:
    secrets, owner = story.hunt.secrets, story.people[POTTERY_OWNER]
    given = {
        "name": "Mail",
        "address": "hello@pottery.example",
        "smtp_host": "localhost",
        "smtp_port": str(server.port),
        "smtp_security": "tls",
        "smtp_user": "hello",
        "smtp_password": secrets["smtp password"],
    }
    for values in (
        {"smtp_password": secrets["wrong smtp password"]},
        {"smtp_security": "none"},
        {"address": "?"},
    ):
        owner.open(f"{story.channels}/email/new")
        assert "Not saved" in story.press(POTTERY_OWNER, "Save and check", {**given, **values})
    owner.open(f"{story.channels}/email/new")
    assert "hello@pottery.example" in story.press(POTTERY_OWNER, "Save and check", given)
    story.people[ADMIN].open("/addons/email/addresses")
    story.press(ADMIN, "Confirm: hello@pottery.example", {})
    assert story.rig.value("SELECT smtp_password FROM email_accounts") is not None


def test_no_page_shows_a_secret(story: Story) -> None:
    home = f"/w/{story.workspace}"
    starts = [
        "/",
        "/account",
        f"{home}/inbox",
        "/admin/addons",
        "/admin/addons/instagram/settings",
        "/admin/journal",
    ]
    starts += [
        "/admin/audit",
        "/admin/workspaces",
        f"{home}/settings/people",
        story.channels,
        "/nowhere",
        "/login",
    ]
    starts += [f"{story.channels}/accounts/{number}" for number in (1, 2)]
    starts += [f"{story.channels}/instagram/settings", "/notifications"]
    for who, person in story.people.items():
        pages = crawl(person.session, story.rig.url, starts)
        assert len(pages) > 15
        for path, answer in pages.items():
            story.hunt.look_at(
                f"{who} at {path}",
                answer,
                allowed=allowed_at(answer.url, who),
            )
            assert answer.status_code < 500, path
    assert not story.hunt.seen, "\n".join(story.hunt.seen)


def test_no_warning_and_no_mail_tells_a_secret(story: Story) -> None:
    assert story.rig.value("SELECT COUNT(*) FROM notifications") >= 2
    told = story.rig.rows("SELECT title, sentence, next_step, details FROM notifications")
    story.hunt.look("notifications", "\n".join(str(tuple(row)) for row in told))
    about = 0
    for number, content in enumerate(story.server.taken):
        story.hunt.look(f"mail {number}", content)
        mail = message_from_bytes(content, policy=default)
        story.hunt.look(f"mail {number}, decoded", mail.get_content())
        about += any(name in mail["Subject"] for name in ("@sample.pottery", "hello@pottery.example"))
    assert about, "the others are notices of conversations"
    assert not story.hunt.seen, "\n".join(story.hunt.seen)


def test_no_json_holds_a_secret(story: Story) -> None:
    home = f"/w/{story.workspace}"
    conversation = story.rig.value("SELECT MIN(id) FROM conversations")
    messages = ",".join(str(row["id"]) for row in story.rig.rows("SELECT id FROM messages"))
    paths = [
        f"{home}/inbox/updates?rows={conversation}&conversation={conversation}&messages={messages}&head=1&composer=1",
        f"{home}/inbox/list",
        f"{home}/inbox/{conversation}/messages",
        f"{home}/live/poll?after=0",
        f"{home}/inbox/{conversation}",
        story.channels,
        "/admin/journal",
        "/nowhere",
    ]
    for who, person in story.people.items():
        for path in paths:
            headers = {"Accept": "application/json"}
            answer = person.session.get(story.rig.url + path, headers=headers, timeout=10)
            story.hunt.look_at(f"{who}'s JSON of {path}", answer, allowed=allowed_at(answer.url, who))
        stream = person.session.get(
            f"{story.rig.url}{home}/live", headers={"Last-Event-ID": "0"}, stream=True, timeout=60
        )
        told = b""
        with stream:
            while b"data: " not in told:
                told += (more := stream.raw.read1(65536))
                assert more, "the stream ended before anything was told"
        story.hunt.look(f"{who}'s live stream", told)
    assert not story.hunt.seen, "\n".join(story.hunt.seen)


def test_the_api_tells_no_secret_and_its_key_is_kept_nowhere(story: Story) -> None:
    owner = story.people[POTTERY_OWNER]
    owner.open(f"/w/{story.workspace}/settings/api")
    owner.press("Create API key", {"name": "Shop", "scopes": "write"})
    made = re.search(r'id="api-key" value="(lobby_[\w-]{43})"', owner.html)
    assert made is not None
    key = made.group(1)
    ids = {
        name: story.rig.value(f"SELECT MIN(id) FROM {table}")
        for name, table in (
            ("conversation_id", "conversations"),
            ("message_id", "messages"),
            ("contact_id", "contacts"),
            ("account_id", "channel_accounts"),
        )
    }
    base = f"{story.rig.url}/api/v1"
    document = requests.get(f"{base}/openapi.json", timeout=10).json()
    headers = {"Authorization": f"Bearer {key}"}
    wanted = {"url": "https://crm.example/told", "events": ["account.stopped"]}
    told = requests.post(f"{base}/endpoints", headers=headers, json=wanted, timeout=30).json()
    story.hunt.secrets["an endpoint's secret"] = told["secret"]  # type: ignore[index]
    ids["endpoint_id"] = told["endpoint"]["id"]
    test = f"{base}/endpoints/{told['endpoint']['id']}/test"
    ids["delivery_id"] = requests.post(test, headers=headers, timeout=30).json()["id"]
    wish = {"action": "read", "conversationIds": [ids["conversation_id"]]}
    ids["bulk_id"] = requests.post(f"{base}/bulk-actions", headers=headers, json=wish, timeout=30).json()[
        "id"
    ]
    team = requests.post(f"{base}/teams", headers=headers, json={"name": "Shop"}, timeout=30).json()
    ids["team_id"] = team["id"]
    rule = {"name": "Done", "body": {"when": "message.received", "actions": [{"do": "close"}]}}
    ids["rule_id"] = requests.post(f"{base}/rules", headers=headers, json=rule, timeout=30).json()["id"]
    sequence = {"name": "Orders", "body": {"steps": [{"do": "end", "id": "end"}]}}
    made = requests.post(f"{base}/sequences", headers=headers, json=sequence, timeout=30).json()
    ids["sequence_id"], ids["version_id"], ids["run_id"] = made["id"], 1, 1  # nobody is in it
    ids["post_id"] = 1  # no channel of the story has posts
    made = requests.post(f"{base}/assistants", headers=headers, json={"name": "Helper"}, timeout=30).json()
    ids["assistant_id"], ids["turn_id"] = made["id"], 1  # it has thought about nothing
    entry = {"title": "Shipping", "text": "Four to six days."}
    at = f"{base}/assistants/{made['id']}/knowledge"
    ids["knowledge_id"] = requests.post(at, headers=headers, json=entry, timeout=30).json()["id"]
    case = {"question": "To Norway?", "says": ["days"]}
    at = f"{base}/assistants/{made['id']}/cases"
    ids["case_id"] = requests.post(at, headers=headers, json=case, timeout=30).json()["id"]
    secret = "Bearer a-secret-of-a-tool-0123456789"
    story.hunt.secrets["a tool's secret"] = secret  # type: ignore[index]
    tool = {"name": "order", "title": "Order", "about": "Where it is.", "secret": secret}
    tool["url"] = "https://shop.example/order"
    at = f"{base}/assistants/{made['id']}/tools"
    ids["tool_id"] = requests.post(at, headers=headers, json=tool, timeout=30).json()["id"]
    asked = 0
    note = f"{base}/contacts/{ids['contact_id']}/notes"
    requests.post(note, headers=headers, json={"text": "rings twice"}, timeout=30)
    places = defaultdict(lambda: 1, ids)  # of what the story has none of, there is nothing to be told
    for path, methods in document["paths"].items():
        if "get" in methods and "attachment" not in path:
            answer = requests.get(base + path.format_map(places), headers=headers, timeout=30)
            story.hunt.look_at(f"the API's {path}", answer)
            asked += answer.status_code == 200
    assert asked > 40
    story.hunt.secrets["api key"] = key  # type: ignore[index]  # from here on it is one of them
    for wrong in (key + "x", key[:-1], f"{key} {key}"):
        headers = {"Authorization": f"Bearer {wrong}"}
        answer = requests.post(f"{base}/messages", headers=headers, data=b"{", timeout=10)
        assert answer.status_code == 401
        story.hunt.look_at("a refusal of the API", answer)
    owner.open(f"/w/{story.workspace}/settings/api")
    story.hunt.look("the page of keys", owner.html)
    assert not story.hunt.seen, "\n".join(story.hunt.seen)


def test_what_the_desk_says_while_it_runs_holds_no_secret(story: Story) -> None:
    assert "lobby listening" in story.rig.output
    story.hunt.look("the log", story.rig.output)
    assert not story.hunt.seen, "\n".join(story.hunt.seen)


def test_nothing_on_disk_holds_a_secret(story: Story) -> None:
    """Last: stops the desk, so that everything it holds is on the disk."""
    story.rig.stop()
    story.hunt.look("the log", story.rig.output)
    files = [path for path in story.rig.data.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        if path.name not in {"secret.keys", "session.key"}:
            story.hunt.look(str(path.relative_to(story.rig.data)), path.read_bytes())
    with closing(sqlite3.connect(story.rig.data / "lobby.sqlite3")) as database:
        dump = "\n".join(database.iterdump())
    assert "instagram_accounts" in dump
    story.hunt.look("the dump", dump)
    assert not story.hunt.seen, "\n".join(story.hunt.seen)
    assert story.hunt.looked > 1_000_000
