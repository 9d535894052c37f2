"""The types and calls of the client for TypeScript are made of the API's document. Needs no Node."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from addons.instagram.instagram import outgoing
from addons.instagram.instagram.comments import outgoing as comments
from host.events.catalogue import KINDS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_typescript", ROOT / "tools" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def document(generator: ModuleType) -> Any:
    return generator.api_document.described()


@pytest.fixture
def table() -> Any:
    return tomllib.loads((ROOT / "tools" / "calls.toml").read_text())


def test_types_and_calls_are_those_of_the_document(generator: ModuleType) -> None:
    for path, text in generator.files().items():
        assert path.read_text() == text, f"{path.name} is not as its source has it: run `make client`"


def test_a_new_operation_needs_a_call(generator: ModuleType, document: Any, table: Any) -> None:
    del table["labels"]["merge"]
    with pytest.raises(ValueError, match="no call for mergeLabel"):
        generator.calls(document, table)


def test_a_call_needs_an_operation(generator: ModuleType, document: Any, table: Any) -> None:
    table["labels"]["paint"] = "paintLabel"
    with pytest.raises(ValueError, match=r"labels\.paint: the document has no operation paintLabel"):
        generator.calls(document, table)


def test_every_call_of_the_client_for_python_is_here(table: Any) -> None:
    source = (ROOT.parent / "python" / "src" / "lobby_client" / "_sync" / "client.py").read_text()
    attributes = dict(re.findall(r"self\.(\w+) = (\w+Calls)\(", source))
    here = {
        group: set(calls) | {call["page"] for call in calls.values() if "page" in call}
        for group, calls in table.items()
        if group != "by_hand"
    }
    here["events"], here["instagram"] = {"listen", "page", "pages"}, {"setIceBreakers"}
    other_names = {("accounts", "setReplyTarget"): "change"}
    for group, name in attributes.items():
        body = source.partition(f"class {name}(_Calls)")[2].partition("\nclass ")[0]
        for call in re.findall(r"^    def ([a-z]\w*)\(", body, re.MULTILINE):
            camel = re.sub("_(.)", lambda found: found[1].upper(), call)
            wanted = other_names.get((_camel(group), camel), camel)
            assert wanted in here[_camel(group)], f"{group}.{call}"


def test_the_client_has_every_group_of_calls(table: Any) -> None:
    source = (ROOT / "src" / "client.ts").read_text()
    groups = {*table, "events", "instagram"} - {"by_hand"}
    declared = re.findall(r"^  readonly (\w+): (?:calls\.)?\w+Calls;$", source, re.MULTILINE)
    made = re.findall(r"^    this\.(\w+) = new (?:calls\.)?\w+Calls\(http\);$", source, re.MULTILINE)
    assert (set(declared), set(made)) == (groups, groups)


def _camel(name: str) -> str:
    return re.sub("_(.)", lambda found: found[1].upper(), name)


def test_names_of_events_are_those_that_the_desk_and_instagram_declare() -> None:
    made = (ROOT / "src" / "generated" / "types.ts").read_text()
    (listed,) = re.findall(r"^export interface EventData \{$(.*?)^\}$", made, re.MULTILINE | re.DOTALL)
    assert re.findall(r'^  "([\w.]+)":', listed, re.MULTILINE) == list(KINDS)
    by_hand = (ROOT / "src" / "instagram.ts").read_text()
    adds = [kind.name for kind in (*outgoing.KINDS, *comments.KINDS)]
    assert re.findall(r'^  "([\w.]+)":', by_hand, re.MULTILINE) == adds


def test_no_call_is_one_of_a_deprecated_operation(generator: ModuleType, document: Any, table: Any) -> None:
    table["contacts"]["block"] = "blockContact"
    with pytest.raises(ValueError, match=r"contacts\.block: the document has no operation blockContact"):
        generator.calls(document, table)


def test_the_newest_version_of_the_api_is_named_in_every_request() -> None:
    from host.api.http import versions

    assert f'API_VERSION = "{versions.CURRENT}"' in (ROOT / "src" / "version.ts").read_text()
    assert '"Lobby-Version": API_VERSION' in (ROOT / "src" / "http.ts").read_text()


def test_the_version_is_the_same_everywhere() -> None:
    version = json.loads((ROOT / "package.json").read_text())["version"]
    assert json.loads((ROOT / "package-lock.json").read_text())["version"] == version
    assert f'VERSION = "{version}"' in (ROOT / "src" / "version.ts").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_package_needs_no_other() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    assert not {"dependencies", "peerDependencies", "optionalDependencies"} & set(package)
    imported = {
        name
        for path in (ROOT / "src").rglob("*.ts")
        for name in re.findall(r'from "([^"]+)"', path.read_text())
        if not name.startswith(".")
    }
    assert imported == {"node:crypto"}


def test_every_error_of_the_client_for_python_is_here() -> None:
    classes = r"^(?:export )?class (\w+Error)\b"
    there = (ROOT.parent / "python" / "src" / "lobby_client" / "errors.py").read_text()
    here = (ROOT / "src" / "errors.ts").read_text()
    assert set(re.findall(classes, here, re.MULTILINE)) == set(re.findall(classes, there, re.MULTILINE))
    codes = r'"(\w+)"[:,] (\w+Error)\b'
    assert set(re.findall(codes, here)) == set(re.findall(codes, there))


def test_the_readme_has_every_call(table: Any) -> None:
    readme = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"^\| `client\.(\w+)` \| (.*) \|$", readme, re.MULTILINE))
    for group, calls in table.items():
        if group != "by_hand":
            wanted = set(calls) | {call["page"] for call in calls.values() if "page" in call}
            assert set(re.findall(r"`(\w+)`", rows[group])) == wanted, group
