"""Make the types from the API's document, and the synchronous client from the asynchronous one.

``python clients/python/tools/generate.py`` writes them; ``files()`` returns what they should hold:

- ``types.py``: dataclasses of answers, and of messages to send.
- ``params.py``: what calls take: words (``Literal``), and dicts of messages, rules and sequences
  (``TypedDict``).
- ``event_data.py``: the names of events, the data of each, and a type of event for each name.
- ``_sync/``: the synchronous client.
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # run as a script, it finds the tools of Lobby
from tools import api_document
from tools.api_document import Schema

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "lobby_client"
MIRRORED = ("client.py", "http.py", "listening.py")
NO_ANSWERS = {"Error", "ErrorAnswer"}
HINTS_IN_ANSWERS = {
    ("Rule", "body"): "Optional[RuleBody]",
    ("SequenceDetail", "body"): "Optional[SequenceBody]",
    ("SequenceVersion", "body"): "Optional[SequenceBody]",
    ("Endpoint", "events"): "Sequence[EventChoice]",
    ("Delivery", "event"): "EventName",
    ("Event", "event"): "EventName",
}
"""Fields of answers with types of the client, so that what they hold can be changed and sent back."""

# Name of a Literal -> the body's type or the operation, and the field or parameter, whose words it has.
LITERALS = {
    "AnalyticsStep": ("getAnalytics", "by"),
    "AssistantModeWord": ("AssistantMode", "mode"),
    "AssistantTrigger": ("AssistantMode", "answersOn"),
    "AttributeKind": ("CreateAttribute", "kind"),
    "BulkActionWord": ("CreateBulkAction", "action"),
    "CampaignResult": ("listCampaignPeople", "got"),
    "ContactSort": ("listContacts", "sort"),
    "ConversationSort": ("listConversations", "sort"),
    "ConversationStatus": ("UpdateConversation", "status"),
    "DeliveryFilter": ("listDeliveries", "state"),
    "EndpointState": ("UpdateEndpoint", "state"),
    "HandledBy": ("listConversations", "handledBy"),
    "HandledByToSet": ("UpdateConversation", "handledBy"),
    "MessageSort": ("listAllMessages", "sort"),
    "ModerationState": ("UpdateModeration", "state"),
    "RuleState": ("CreateRule", "state"),
    "SequenceRunFilter": ("listSequenceRuns", "state"),
    "SequenceStart": ("listSequenceRuns", "startedBy"),
    "ToolEffect": ("CreateAssistantTool", "effect"),
    "Tone": ("CreateLabel", "tone"),
    "TurnFilter": ("listAssistantTurns", "show"),
}
HEAD = '''"""{what}

Made by tools/generate.py: do not edit.
"""

'''

# The asynchronous word -> the synchronous one.
WORDS = {
    "async def ": "def ",
    "async for ": "for ",
    "async with ": "with ",
    "from collections.abc import Awaitable, Callable": "from collections.abc import Callable",
    "Awaitable[None]": "None",
    "Awaitable[EventPage]": "EventPage",
    "asyncio.sleep": "time.sleep",
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
        .replace("An asynchronous", "A synchronous")
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
        "from lobby_client.events import EventChoice, EventName\n"
        "from lobby_client.params import RuleBody, SequenceBody\n"
    )
    return HEAD.format(what="Types of the API's bodies and answers.") + imports + "\n\n" + body + "\n"


def _reached(document: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    """Return the names of the types in answers, and in the bodies of messages to send."""
    roots: list[Any] = []
    for _method, _path, operation in api_document.operations(document).values():
        roots += [answer for status, answer in operation["responses"].items() if status < "300"]
        if operation["operationId"] == "sendMessage":
            roots.append(operation["requestBody"]["content"]["application/json"]["schema"])
    reached = api_document.reached(roots, schemas) - NO_ANSWERS
    return {name for name in reached if "properties" in schemas[name]}


def _in_order(names: Iterable[str], schemas: Mapping[str, Any]) -> list[str]:
    """Return *names*, each behind those it refers to: Python 3.9 evaluates hints as it reads them."""
    order: list[str] = []
    wanted = set(names)

    def put(name: str) -> None:
        for other in sorted(api_document.references(schemas[name]) & wanted):
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
        snake = _snake(camel)
        tag = field.get("enum", ()) if set(field) == {"enum"} and len(field["enum"]) == 1 else ()
        turn, value = 0, ""
        if tag and camel in required:
            turn, value = 2, f' = field(default="{tag[0]}", init=False)'
        elif camel not in required:
            turn, value = 1, f" = {_default(field)}"
        elif camel == "secret":
            value = " = field(repr=False)"
        text = _described(field)
        hint = HINTS_IN_ANSWERS.get((name, camel)) or _hint(field, schemas)
        lines[turn].append(f"    {snake}: {hint}{value}\n" + (f'    """{text}"""\n' if text else ""))
    fields = "".join(line for turn in sorted(lines) for line in lines[turn])
    return f'@dataclass(frozen=True)\nclass {name}(Model):\n    """{schema["description"]}"""\n\n{fields}'


def _described(field: Mapping[str, Any]) -> str:
    text = field.get("description", "")
    return "" if text == "An id of this desk." else str(text)


def _default(field: Mapping[str, Any]) -> str:
    value = field["default"]
    return "()" if value == [] else f'"{value}"' if isinstance(value, str) else repr(value)


def _hint(schema: Mapping[str, Any], schemas: Mapping[str, Any], moment: str = "datetime") -> str:
    """Return the type of a schema's values; *moment* is that of a time."""
    if "$ref" in schema:
        name = api_document.name_of(schema)
        return name if "properties" in schemas[name] else "str"
    if "oneOf" in schema:
        schema = {**schema, "anyOf": schema["oneOf"]}
    if "anyOf" in schema:
        hints = [_hint(one, schemas, moment) for one in schema["anyOf"] if one != {"type": "null"}]
        hint = hints[0] if len(hints) == 1 else f"Union[{', '.join(hints)}]"
        return f"Optional[{hint}]" if {"type": "null"} in schema["anyOf"] else hint
    if "enum" in schema:
        values = [one for one in schema["enum"] if one is not None]
        hint = f"Literal[{', '.join(repr(one) for one in values)}]"
        return f"Optional[{hint}]" if None in schema["enum"] else hint
    kind = schema.get("type")
    if kind == "array":
        return f"Sequence[{_hint(schema['items'], schemas, moment)}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"Mapping[str, {_hint(inner, schemas, moment) if isinstance(inner, dict) else 'Any'}]"
    if schema.get("format") == "date-time":
        return moment
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    return {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}[str(kind)]


class Key(NamedTuple):
    """A key of a dict, with its type and description."""

    name: str
    hint: str
    text: str


def params(document: Schema) -> str:
    """Return the module with what calls take."""
    schemas = {**document["components"]["schemas"], **api_document.bodies()}
    words = "".join(f"{name} = {_words(document, *place)}\n" for name, place in LITERALS.items())
    (content,) = _of_forms(document)
    contents = api_document.reached(content, schemas)
    made = [_dict(name, schemas, snake_case=True) for name in _in_order(contents, schemas)]
    for body in api_document.BODIES:
        reached = api_document.reached(api_document.reference(body), schemas)
        made += [_dict(name, schemas) for name in _in_order(reached, schemas)]
    made.append(f"Content = {_hint(content, schemas)}\n")
    text = "\n\n".join(made)
    what = "What calls take: words, and dicts of messages, rules and sequences."
    return HEAD.format(what=what) + _imports_of_dicts(words + text) + "\n" + words + "\n\n" + text


def _words(document: Schema, where: str, field: str) -> str:
    """Return the type of a field of a body, or of a parameter of an operation."""
    schemas = document["components"]["schemas"]
    if where in schemas:
        schema = schemas[where]["properties"][field]
    else:
        (_method, _path, operation) = api_document.operations(document)[where]
        (schema,) = [one["schema"] for one in operation["parameters"] if one["name"] == field]
    return _hint(schema.get("items", schema), schemas)


def _of_forms(document: Schema) -> Iterator[Schema]:
    """Yield the contents of the form of a message that has one."""
    _method, _path, operation = api_document.operations(document)["sendMessage"]
    for form in operation["requestBody"]["content"]["application/json"]["schema"]["oneOf"]:
        schema = document["components"]["schemas"][api_document.name_of(form)]
        if "content" in schema["properties"]:
            yield schema["properties"]["content"]


def _imports_of_dicts(body: str) -> str:
    names = ("Any", "Literal", "Optional", "TypedDict", "Union", "final")
    used = ", ".join(name for name in names if re.search(rf"\b{name}\b", body))
    collections = ", ".join(name for name in ("Mapping", "Sequence") if name in body)
    moments = "from datetime import datetime\n" if re.search(r"\bdatetime\b", body) else ""
    return (
        f"from __future__ import annotations\n\nfrom collections.abc import {collections}\n{moments}"
        f"from typing import {used}\n"
    )


def _dict(
    name: str,
    schemas: Schema,
    *,
    snake_case: bool = False,
    closed: bool = False,
    moment: str = "Union[datetime, str]",
) -> str:
    """Return the TypedDict of a schema. Python 3.9 knows no ``NotRequired``: required keys have their own.

    :param snake_case: whether it also takes its keys in snake_case.
    :param closed: whether a key that it does not have tells it from others, as in ``"erased" in data``.
    """
    schema = schemas[name]
    required: list[Key] = []
    optional: list[Key] = []
    for key, field in schema["properties"].items():
        spellings = {key, _snake(key)} if snake_case else {key}
        if len(spellings) > 1 and key in schema["required"]:
            raise ValueError(f"{name}.{key} is required, and has two spellings")
        for spelling in sorted(spellings):
            found = Key(spelling, _hint(field, schemas, moment), _described(field))
            (required if key in schema["required"] else optional).append(found)
    before, bases = "", []
    if (required and optional) or _reserved(required):
        before += _part(f"_{name}Required", required, total=True)
        bases, required = [f"_{name}Required"], []
    if _reserved(optional):
        before += _part(f"_{name}Optional", optional, total=False)
        bases, optional = [*bases, f"_{name}Optional"], []
    total = ", total=False" if optional else ""
    decorator = "@final\n" if closed else ""
    head = f"{decorator}class {name}({', '.join(bases) or 'TypedDict'}{total}):\n"
    return f'{before}{head}    """{_about(schema)}"""\n\n{_fields_of(required or optional)}\n'


def _about(schema: Schema) -> str:
    """Return the first sentences of a description, without the markup of docstrings."""
    text, _, _ = schema.get("description", "").partition("\n")
    if not text:
        (word,) = schema["properties"]["do"]["enum"]
        text = f"The action `{word}`."
    return re.sub(r":\w+:`(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")


def _reserved(keys: Iterable[Key]) -> bool:
    return any(keyword.iskeyword(key.name) for key in keys)


def _part(name: str, keys: Iterable[Key], *, total: bool) -> str:
    """Return a TypedDict that others extend. Keys that are words of Python cannot stand in a class."""
    if _reserved(keys):
        listed = ", ".join(f'"{key.name}": {key.hint}' for key in keys)
        return f'{name} = TypedDict("{name}", {{{listed}}}{"" if total else ", total=False"})\n\n\n'
    return f"class {name}(TypedDict{'' if total else ', total=False'}):\n{_fields_of(keys)}\n\n"


def _fields_of(keys: Iterable[Key]) -> str:
    return "".join(
        f"    {key.name}: {key.hint}\n" + (f'    """{key.text}"""\n' if key.text else "") for key in keys
    )


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name)


def event_data(document: Schema) -> str:
    """Return the module with the data of each event, and a type of event for each name."""
    schemas = document["components"]["schemas"]
    events = list(api_document.events(document))
    named = api_document.reached([data for _name, _summary, data in events], schemas)
    order = [name for name in _in_order(named, schemas) if "properties" in schemas[name]]
    made = [_dict(name, schemas, closed=True, moment="str") for name in order]
    names = [name for name, _summary, _data in events]
    for title, about, all_of in (
        ("DeskEventName", "The name of an event of the desk itself.", names),
        ("DeskEventGroup", "All events of the desk that begin so.", api_document.event_groups(names)),
    ):
        listed = ", ".join(f'"{one}"' for one in all_of)
        made.append(f'{title} = Literal[{listed}]\n"""{about}"""\n')
    kinds, hooks = [], []
    for name, summary, data in events:
        kind = "".join(word.capitalize() for word in re.split(r"[._]", name))
        kinds.append(kind)
        named = f'Literal["{name}"], {_hint(data, schemas, "str")}'
        hooks.append(f"Webhook[{named}]")
        made.append(f'{kind} = Event[{named}]\n"""{summary}"""\n')
    made.append(f"DeskEvent = Union[{', '.join(kinds)}]\n" + '"""An event of the desk itself."""\n')
    made.append(
        f"DeskWebhook = Union[{', '.join(hooks)}]\n" + '"""A webhook with an event of the desk itself."""\n'
    )
    body = "\n\n".join(made)
    what = "The names of the desk's events, the data of each, and a type of event for each name."
    return (
        HEAD.format(what=what)
        + _imports_of_dicts(body)
        + f"\nfrom lobby_client._event import Event, Webhook\n\n\n{body}"
    )


def files() -> dict[Path, str]:
    """Return what each made file should hold."""
    document = api_document.described()
    made = {
        PACKAGE / "types.py": types(document),
        PACKAGE / "params.py": params(document),
        PACKAGE / "event_data.py": event_data(document),
    }
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
    api_document.write(files(), PACKAGE)


if __name__ == "__main__":
    main()
