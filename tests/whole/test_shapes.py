"""The contents and events that programs are written against, with both clients and the sandbox as Meta.

``shapes.json`` holds the contents, ``EVENTS`` the keys of each event.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lobby_client import Lobby, webhooks

from demo.processes import Program, clean_environment, free_port
from tests.receiver import receiving
from tests.whole.guided import ADDRESS, GuidedDesk, guided_desk
from tests.whole.node import CLIENT, Package, built_package, run
from tests.whole.rig import finish, until
from tests.whole.shops import POTTERY

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SHAPES = json.loads((HERE / "shapes.json").read_text())
GUIDE = (HERE.parents[1] / "docs" / "api.md").read_text()
ARRIVES = ["text", "text", "image", "video", "audio", "file", "like_heart", "generic template"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
REACTIONS = {"love", "laugh", "wow", "sad", "angry", "like", "other"}

OURS = {"id", "channelId", "channelType", "timestamp"}
STORY = {"channelId", "from", "timestamp"}
EVENTS: dict[str, tuple[set[str], set[str]]] = {
    "message.received": (
        {*OURS, "direction", "from", "content", "metadata"},
        {"conversationId", "contactId"},
    ),
    "instagram.story_mention": ({*STORY, "storyId", "mediaUrl", "metadata"}, set()),
    "instagram.story_reply": ({*STORY, "storyId", "replyText"}, set()),
    "instagram.quick_reply": ({*STORY, "payload", "text"}, set()),
    "instagram.postback": ({*STORY, "payload"}, set()),
    "instagram.reaction": ({*STORY, "messageId", "action"}, {"reaction"}),
    "instagram.product_share": ({*STORY, "product"}, set()),
}
"""The keys that an event has, and those that it can have besides."""
OTHERS = {
    "message.sent",
    "message.failed",
    "message.read",
    "conversation.created",
    "conversation.closed",
    "conversation.assigned",
}
NAMES = {*EVENTS, *OTHERS}
KINDS = {"text", "image", "video", "audio", "file", "sticker"}
"""Kinds of content of the messages that customers send here."""


@dataclass(frozen=True)
class Seen:
    """An event as a client got it.

    :param by: ``webhook``, verified; or ``listen``.
    """

    by: str
    id: str
    event: str
    data: dict[str, Any]


Events = Callable[[], list[Seen]]


@dataclass
class Python:
    """The client for Python."""

    desk: GuidedDesk
    port: int

    def send(self, given: dict[str, Any]) -> None:
        with Lobby(api_key=self.desk.key, base_url=self.desk.rig.url) as client:
            for content in given["contents"]:
                client.messages.send(channel_id=given["channelId"], to=given["to"], content=content)
            breakers = given["iceBreakers"]
            client.instagram.set_ice_breakers(channel_id=given["channelId"], ice_breakers=breakers)

    @contextmanager
    def listening(self) -> Iterator[Events]:
        seen: list[Seen] = []
        ended = threading.Event()
        with (
            receiving(self.port) as receiver,
            Lobby(api_key=self.desk.key, base_url=self.desk.rig.url) as client,
        ):
            made = client.endpoints.create(receiver.url, ["*"])
            first = client.events.page()

            def poll() -> None:
                after = first.next
                while not ended.is_set():
                    page = client.events.page(after=after, wait=1)
                    seen.extend(Seen("listen", one.id, one.event, dict(one.data)) for one in page.data)
                    after = page.next

            thread = threading.Thread(target=poll)
            thread.start()

            def events() -> list[Seen]:
                hooks = [webhooks.verify(one.headers, one.body, made.secret) for one in list(receiver.got)]
                return [*seen, *(Seen("webhook", one.id, one.event, dict(one.data)) for one in hooks)]

            try:
                yield events
            finally:
                ended.set()
                thread.join()
                client.endpoints.delete(made.endpoint.id)


@dataclass
class TypeScript:
    """The client for TypeScript."""

    desk: GuidedDesk
    port: int
    package: Package

    @property
    def environment(self) -> dict[str, str]:
        return {"LOBBY_URL": self.desk.rig.url, "LOBBY_API_KEY": self.desk.key}

    def send(self, given: dict[str, Any]) -> None:
        run(
            self.package.programs,
            self.package.node,
            "shapes.js",
            "send",
            json.dumps(given),
            **self.environment,
        )

    @contextmanager
    def listening(self) -> Iterator[Events]:
        command = [self.package.node, "shapes.js", "listen", str(self.port)]
        environment = {**clean_environment(), **self.environment}
        program = Program.start("listener", command, environment, folder=self.package.programs)

        def events() -> list[Seen]:
            return [Seen(**json.loads(line)) for line in list(program.lines)]

        try:
            until(lambda: any(one.by == "ready" for one in events()), "the listener")
            yield events
        finally:
            program.stop()
            finish(program)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    made = built_package(tmp_path_factory.mktemp("typescript"))
    made.compile(shapes=(HERE / "shapes.ts").read_text())
    return made


def test_a_program_of_commonjs_requires_the_package(package: Package) -> None:
    program = 'import { Lobby, webhooks } from "@lobby-desk/client";\n'
    program += "console.log(typeof Lobby, typeof webhooks.verify);\n"
    (package.programs / "old.cts").write_text(program)
    tsc = str(package.source / "node_modules" / "typescript" / "bin" / "tsc")
    kinds = ("--target", "es2022", "--module", "node16", "--types", "node", "--strict")
    run(package.programs, package.node, tsc, *kinds, "old.cts")
    assert run(package.programs, package.node, "old.cjs").split() == ["function", "function"]


PORTS = {"python": free_port(), "typescript": free_port()}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[GuidedDesk]:
    hosts = [f"127.0.0.1:{port}" for port in PORTS.values()]
    with guided_desk(tmp_path_factory.mktemp("shapes"), addon_zip, hosts) as made:
        yield made


@pytest.fixture(params=["python", "typescript"])
def client(request: pytest.FixtureRequest, desk: GuidedDesk) -> Python | TypeScript:
    port = PORTS[request.param]
    if request.param == "python":
        return Python(desk, port)
    return TypeScript(desk, port, request.getfixturevalue("package"))


def snake_cased(value: Any) -> Any:
    """Return *value* with its keys in snake_case."""
    if isinstance(value, list):
        return [snake_cased(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name): snake_cased(one)
        for name, one in value.items()
    }


@pytest.mark.parametrize("form", [lambda value: value, snake_cased], ids=["camelCase", "snake_case"])
def test_every_content_reaches_the_customer(
    desk: GuidedDesk, client: Python | TypeScript, form: Callable[[Any], Any]
) -> None:
    shapes = json.loads(json.dumps(SHAPES).replace(ADDRESS, desk.files))
    account = desk.api("/accounts")["data"][0]
    before = len(desk.sent())
    contents = form(shapes["contents"])
    given = {"channelId": account["channelId"], "to": POTTERY.customer, "contents": contents}
    client.send({**given, "iceBreakers": shapes["iceBreakers"]})
    until(lambda: len(desk.sent()) >= before + len(ARRIVES), "the arrival of all")
    assert [one["what"] for one in desk.sent()[before:]] == ARRIVES
    kept = desk.api(f"/accounts/{account['id']}/ice-breakers")["locales"]["default"]
    assert kept == SHAPES["iceBreakers"]


def play(desk: GuidedDesk, events: Events) -> str:
    """Do everything that the events are about, as a new customer and as the team; return the customer.

    :param events: what was told until now.
    """
    rig = desk.rig
    made = rig.control("POST", "customers", {"account": POTTERY.igid, "name": "Bo", "username": "bo.makes"})
    who = {"account": POTTERY.igid, "customer": made["igsid"]}

    def act(kind: str, **more: Any) -> Any:
        return rig.control("POST", "dm", {**who, "kind": kind, **more})

    def known() -> bool:
        talks = desk.api(f"/conversations?contact={who['customer']}")["data"]
        return bool(talks) and talks[0]["contact"]["username"] == "bo.makes"

    act("text", text="Hello!")
    until(known, "the username, for which the provider was asked")
    for kind in ("image", "video", "audio", "file", "like_heart", "story_mention", "story_reply"):
        act(kind)
    act("quick_reply", text="New Arrivals", payload="BROWSE_NEW")
    act("postback", payload="GET_PRODUCTS")

    def told(name: str) -> bool:
        return any(one.data.get("reaction") == name and concerns(one, who["customer"]) for one in events())

    for name in sorted(REACTIONS):
        act("reaction", reaction=name)
        until(lambda: told(name), f"the reaction {name}")  # noqa: B023 - one that was replaced isn't told
    act("unreact")
    act("product")
    with Lobby(api_key=desk.key, base_url=rig.url) as client:
        talk = next(client.conversations.list(contact=who["customer"]))
        client.conversations.change(talk.id, assignee=client.members.list()[0].id)
        content = {"type": "text", "text": "We have it."}
        (sent,) = client.messages.send(channel_id=talk.channel_id, to=who["customer"], content=content).data
        until(lambda: client.messages.get(sent.id).state == "sent", "the answer being sent")
        act("read")
        until(lambda: client.messages.get(sent.id).state == "read", "the answer being read")
        fault = {"call": "send", "action": "error", "code": 100, "message": "No.", "times": 1}
        rig.control("POST", "faults", fault)
        (failed,) = client.messages.send(channel_id=talk.channel_id, to=who["customer"], content=content).data
        until(lambda: client.messages.get(failed.id).state == "failed", "the failure")
        client.conversations.change(talk.id, status="closed")
    return str(who["customer"])


def test_every_event_comes_key_for_key(desk: GuidedDesk, client: Python | TypeScript) -> None:
    with client.listening() as events:
        customer = play(desk, events)

        def told_by(way: str) -> dict[str, Seen]:
            mine = [one for one in events() if one.by == way and concerns(one, customer)]
            return {f"{one.event} {one.id}": one for one in mine}

        def complete() -> bool:
            hooks, polled = told_by("webhook"), told_by("listen")
            return hooks.keys() == polled.keys() and {one.event for one in hooks.values()} >= NAMES

        until(complete, "every event, the same both ways")
        told = list(told_by("webhook").values())
        for one in [*told, *told_by("listen").values()]:
            if one.event in EVENTS:
                check(one, customer)
    assert {one.data["content"]["type"] for one in told if one.event == "message.received"} >= KINDS
    reactions = [one.data for one in told if one.event == "instagram.reaction"]
    assert {one["reaction"] for one in reactions if one["action"] == "react"} == REACTIONS
    assert [one["action"] for one in reactions].count("unreact") == 1


def concerns(one: Seen, customer: str) -> bool:
    """Return whether an event is about *customer*: the desk may still tell of earlier tests."""
    return customer in {one.data.get("from"), one.data.get("to")}


def check(one: Seen, customer: str) -> None:
    """Check the keys of an event, and what those that all have hold."""
    needed, besides = EVENTS[one.event]
    assert needed <= set(one.data) <= needed | besides, one
    assert one.data["from"] == customer
    assert TIME.fullmatch(one.data["timestamp"]), one
    match one.event:
        case "message.received":
            assert (one.data["channelType"], one.data["direction"]) == ("instagram", "inbound")
            content = one.data["content"]
            if content["type"] == "text":
                assert content["text"]
            elif content["type"] in {"image", "video", "audio", "file"}:
                assert content[content["type"]]["url"].startswith("http")
            assert one.data["metadata"]["mid"]
            if content != {"type": "text", "text": "Hello!"}:
                assert one.data["metadata"]["username"] == "bo.makes"
        case "instagram.story_mention":
            assert one.data["metadata"] == {"username": "bo.makes"}, "no text was sent with it"
        case "instagram.product_share":
            assert one.data["product"].keys() <= {"id", "name", "price", "imageUrl", "productUrl"}
            assert one.data["product"]["id"] == "4381572605000001"
        case "instagram.quick_reply":
            assert (one.data["payload"], one.data["text"]) == ("BROWSE_NEW", "New Arrivals")
        case "instagram.postback":
            assert one.data["payload"] == "GET_PRODUCTS"


def test_the_guide_for_typescript_runs_as_it_stands(desk: GuidedDesk, package: Package) -> None:
    blocks = re.findall(r"^```ts\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    program = "\n".join(blocks).replace("https://desk.example.com", desk.rig.url)
    before = len(desk.sent())
    package.compile(guide=program.replace("lobby_...", desk.key).replace(ADDRESS, desk.files))
    run(package.programs, package.node, "guide.js")
    until(lambda: len(desk.sent()) >= before + len(ARRIVES), "the arrival of all")
    assert [one["what"] for one in desk.sent()[before:]] == ARRIVES


def test_the_client_for_typescript_passes_its_own_tests(package: Package) -> None:
    said = run(package.source, "npm", "test")
    assert re.search(r"^# pass [1-9]", said, re.MULTILINE), said
    assert re.search(r"^# fail 0$", said, re.MULTILINE), said


FENCED = re.MULTILINE | re.DOTALL
README = (CLIENT / "README.md").read_text()
FROM_CLIENT = 'import { Lobby, type Content, type Handler, type types } from "@lobby-desk/client";'
AROUND = {
    "client": "declare const client: Lobby;",
    "channelId": "declare const channelId: string;",
    "to": "declare const to: string;",
    "content": "declare const content: Content;",
    "handle": "declare function handle(...given: unknown[]): Promise<void>;",
    "signal": "declare const signal: AbortSignal;",
    "rawBody": "declare const rawBody: Buffer;",
    "request": 'declare const request: import("node:http").IncomingMessage;',
    "response": 'declare const response: import("node:http").ServerResponse;',
    "secret": "declare const secret: string;",
}
"""What a program has around a block of the README, by its name."""


def readme_programs() -> dict[str, str]:
    """Return each block of the README that is TypeScript as a program of its own, by a name."""
    found = {}
    for number, (indent, block) in enumerate(re.findall(r"^( *)```ts\n(.*?)^ *```$", README, FENCED), 1):
        text = re.sub(f"^{indent}", "", block, flags=re.MULTILINE)
        lines = [] if "import { Lobby" in text else [FROM_CLIENT]
        for name, line in AROUND.items():
            if re.search(rf"(?<![\w.]){name}\b(?!:)", text) and f"const {name} =" not in text:
                lines.append(line)
        found[f"readme{number}"] = "\n".join([*lines, text, "export {};\n"])
    return found


def test_every_block_of_the_readme_for_typescript_compiles(package: Package) -> None:
    programs = readme_programs()
    shell = len(re.findall(r"^ *```sh$", README, re.MULTILINE))
    assert len(programs) + shell == len(re.findall(r"^ *```\w+$", README, re.MULTILINE)), "no other language"
    assert len(programs) == len(re.findall(r"^ *```ts$", README, re.MULTILINE)) > 5
    package.compile(**programs)


def test_a_mistake_in_a_block_of_the_readme_does_not_compile(package: Package) -> None:
    wrong = {
        name: text.replace("waiting.channelId", "waiting.channel_id")
        for name, text in readme_programs().items()
    }
    assert wrong != readme_programs()
    with pytest.raises(AssertionError, match="channel_id"):
        package.compile(**wrong)


def test_a_mistake_in_a_content_does_not_compile(package: Package) -> None:
    wrong = """
import { Lobby } from "@lobby-desk/client";
await new Lobby().messages.send({ channelId: "c", to: "1", content: { type: "text", txt: "Hi" } });
"""
    with pytest.raises(AssertionError, match="txt"):
        package.compile(wrong=wrong)


RULES = """
import { Lobby } from "@lobby-desk/client";
const client = new Lobby();
await client.rules.create({
  name: "Wholesale",
  body: {
    when: "message.received",
    conditions: [
      { if: "words", words: ["wholesale"], has: "any" },
      { if: "any", of: [{ if: "hours", open: false }, { if: "window", to: "people" }] },
    ],
    actions: [{ do: "label", label: 3 }, { do: "tell", team: 5 }, { do: "close" }],
  },
});
const rule = await client.rules.get(3);
if (rule.body) await client.rules.replace(rule.id, { name: "Renamed", body: rule.body });
"""


@pytest.mark.parametrize("mistake", ["message.came", "wrds", "labl"])
def test_a_mistake_in_a_rule_does_not_compile(package: Package, mistake: str) -> None:
    right = {"message.came": '"message.received"', "wrds": '"words"', "labl": '"label"'}[mistake]
    package.compile(right=RULES)
    with pytest.raises(AssertionError, match=mistake):
        package.compile(wrong=RULES.replace(right, f'"{mistake}"'))
