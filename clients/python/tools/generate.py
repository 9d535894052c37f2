"""Make the types from the API's document, and the synchronous client from the asynchronous one.

``python clients/python/tools/generate.py`` writes both; ``files()`` returns what they should hold.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "lobby_client"
MIRRORED = ("client.py", "http.py")
NO_ANSWERS = {"Error", "ErrorAnswer"}
HEAD = '''"""{what}

Made by tools/generate.py: do not edit.
"""

'''

# The asynchronous word -> the synchronous one.
WORDS = {
    "async def ": "def ",
    "async for ": "for ",
    "async with ": "with ",
    "await asyncio.sleep(": "time.sleep(",
    "await ": "",
    "import asyncio": "import time",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "AsyncIterator": "Iterator",
    "AsyncLobby": "Lobby",
    "lobby_client._async": "lobby_client._sync",
    "An object may be shared within an event loop.": "Threads may share an object.",
}


def synchronous(source: str) -> str:
    """Return the synchronous form of an asynchronous module."""
    _docstring, _, rest = source.partition('"""\n')
    docstring = source[: len(source) - len(rest)]
    for word, other in WORDS.items():
        rest = rest.replace(word, other)
    first = (
        docstring.strip()
        .strip('"')
        .replace("an asynchronous", "a synchronous")
        .replace("asynchronous", "synchronous")
    )
    return HEAD.format(what=first) + rest.lstrip("\n")


def types(document: Mapping[str, Any]) -> str:
    """Return the module with a dataclass for each type the client hands out or takes."""
    schemas = document["components"]["schemas"]
    wanted = _reached(document, schemas)
    made = [_one(name, schemas) for name in _in_order(wanted, schemas)]
    body = "\n\n".join(made)
    names = [name for name in ("Any", "Literal", "Optional", "Union") if re.search(rf"\b{name}\b", body)]
    imports = (
        "from collections.abc import Mapping, Sequence\n"
        "from dataclasses import dataclass, field\nfrom datetime import datetime\n"
        f"from typing import {', '.join(names)}\n\nfrom lobby_client._model import Model\n"
    )
    return HEAD.format(what="Types of the API's bodies and answers.") + imports + "\n\n" + body + "\n"


def _reached(document: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    """Return the names of the types in answers, and in the bodies of messages to send."""
    todo: list[Any] = []
    for methods in document["paths"].values():
        for operation in methods.values():
            todo += [answer for status, answer in operation["responses"].items() if status < "300"]
            if operation["operationId"] == "sendMessage":
                todo.append(operation["requestBody"]["content"]["application/json"]["schema"])
    reached: set[str] = set()
    while todo:
        for name in (_refs(todo.pop()) & set(schemas)) - reached - NO_ANSWERS:
            reached.add(name)
            todo.append(schemas[name])
    return {name for name in reached if "properties" in schemas[name]}


def _refs(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_refs, schema))
    if not isinstance(schema, dict):
        return set()
    inner = (value for key, value in schema.items() if key != "discriminator")
    found = set().union(*map(_refs, inner))
    return found | {schema["$ref"].rpartition("/")[2]} if "$ref" in schema else found


def _in_order(names: Iterable[str], schemas: Mapping[str, Any]) -> list[str]:
    """Return *names*, each behind those it refers to: Python 3.9 evaluates hints as it reads them."""
    order: list[str] = []
    wanted = set(names)

    def put(name: str) -> None:
        for other in sorted(_refs(schemas[name]) & wanted):
            put(other)
        if name not in order:
            order.append(name)

    for name in sorted(wanted):
        put(name)
    return order


def _one(name: str, schemas: Mapping[str, Any]) -> str:
    schema = schemas[name]
    required = set(schema["required"])
    lines: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for camel, field in schema["properties"].items():
        snake = re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", camel)
        tag = field.get("enum", ()) if set(field) == {"enum"} and len(field["enum"]) == 1 else ()
        turn, value = 0, ""
        if tag and camel in required:
            turn, value = 2, f' = field(default="{tag[0]}", init=False)'
        elif camel not in required:
            turn, value = 1, f" = {_default(field)}"
        elif camel == "secret":
            value = " = field(repr=False)"
        text = _described(field)
        lines[turn].append(
            f"    {snake}: {_hint(field, schemas)}{value}\n" + (f'    """{text}"""\n' if text else "")
        )
    fields = "".join(line for turn in sorted(lines) for line in lines[turn])
    return f'@dataclass(frozen=True)\nclass {name}(Model):\n    """{schema["description"]}"""\n\n{fields}'


def _described(field: Mapping[str, Any]) -> str:
    text = field.get("description", "")
    return "" if text == "An id of this desk." else str(text)


def _default(field: Mapping[str, Any]) -> str:
    value = field["default"]
    return "()" if value == [] else f'"{value}"' if isinstance(value, str) else repr(value)


def _hint(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"].rpartition("/")[2])
        return name if "properties" in schemas[name] else "str"
    if "oneOf" in schema:
        schema = {**schema, "anyOf": schema["oneOf"]}
    if "anyOf" in schema:
        hints = [_hint(one, schemas) for one in schema["anyOf"] if one != {"type": "null"}]
        hint = hints[0] if len(hints) == 1 else f"Union[{', '.join(hints)}]"
        return f"Optional[{hint}]" if {"type": "null"} in schema["anyOf"] else hint
    if "enum" in schema:
        values = [one for one in schema["enum"] if one is not None]
        hint = f"Literal[{', '.join(repr(one) for one in values)}]"
        return f"Optional[{hint}]" if None in schema["enum"] else hint
    kind = schema.get("type")
    if kind == "array":
        return f"Sequence[{_hint(schema['items'], schemas)}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"Mapping[str, {_hint(inner, schemas) if isinstance(inner, dict) else 'Any'}]"
    if schema.get("format") == "date-time":
        return "datetime"
    return {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}[str(kind)]


def files() -> dict[Path, str]:
    """Return what each made file should hold."""
    import host.process.features  # noqa: F401 - loads the features whose routes the document describes
    from host.api.http.openapi import document

    made = {PACKAGE / "types.py": types(document("https://desk.example.com"))}
    for name in MIRRORED:
        made[PACKAGE / "_sync" / name] = synchronous((PACKAGE / "_async" / name).read_text())
    return {path: _formatted(path, text) for path, text in made.items()}


def _formatted(path: Path, text: str) -> str:
    for command in (["check", "--fix", "--quiet", "--exit-zero"], ["format", "--quiet"]):
        arguments = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=True)  # noqa: S603
        text = done.stdout
    return text


def main() -> None:
    for path, text in files().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(PACKAGE)}")


if __name__ == "__main__":
    main()
