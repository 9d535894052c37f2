"""Make the types and the calls of the client from the API's document and ``calls.toml``.

``python clients/typescript/tools/generate.py`` writes them; ``files()`` returns what they should hold.
Neither needs Node.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # run as a script, it finds the tools of Lobby
from tools import api_document
from tools.api_document import Schema

HERE = Path(__file__).resolve().parent
GENERATED = HERE.parent / "src" / "generated"
WIDTH = 110
HEAD = "// Made by tools/generate.py: do not edit.\n\n"
OF_EVENTS = {
    ("CreateEndpoint", "events"): "EventChoice[]",
    ("UpdateEndpoint", "events"): "EventChoice[]",
    ("Endpoint", "events"): "EventChoice[]",
    ("Delivery", "event"): "EventName",
    ("Event", "event"): "EventName",
}
"""Fields with names of events, and their types: the document calls them text, because channels add some."""
OBVIOUS = {"An id from this API.", "An id of this desk."}


def types(document: Schema) -> str:
    """Return the module with an interface for each schema, and the data of each event by its name."""
    schemas = _with_bodies(document["components"]["schemas"])
    made = [_declared(name, schemas[name]) for name in sorted(schemas)]
    events = []
    for name, summary, data in api_document.events(document):
        events.append(f'{_comment([summary], "  ")}  "{name}": {written(data)};\n')
    comment = _comment(["The data of each of the desk's own events."], "")
    made.append(f"{comment}export interface EventData {{\n{''.join(events)}}}\n")
    names = sorted({word for kind in OF_EVENTS.values() for word in re.findall(r"\w+", kind)})
    imports = f'import type {{ {", ".join(names)} }} from "../events.js";\n\n'
    return HEAD + imports + "\n".join(made)


def _with_bodies(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return *schemas* with those of the bodies of rules and sequences, and fields that refer to them."""
    bodies = api_document.bodies()
    if shared := schemas.keys() & bodies.keys():
        raise ValueError(f"give these types of the API names of their own: {', '.join(sorted(shared))}")
    # Their other paragraphs are about fields, with names of Python.
    made = {**schemas}
    for name, one in bodies.items():
        text = one.get("description", "").partition("\n\n")[0].replace("``", "`")
        made[name] = {**one, "description": text}
    for body, holders in api_document.BODIES.items():
        for name in holders:
            fields = schemas[name]["properties"]
            referred = api_document.reference(body)
            choices = {"anyOf": [referred, {"type": "null"}]} if "anyOf" in fields["body"] else referred
            described = {"description": fields["body"]["description"], **choices}
            made[name] = {**schemas[name], "properties": {**fields, "body": described}}
    return made


def _declared(name: str, schema: Schema) -> str:
    about = _comment([schema.get("description", "")], "")
    if "properties" not in schema:
        return f"{about}{_wrapped(f'export type {name} = ', written(schema))}"
    return f"{about}export interface {name} {{\n{''.join(_members(schema, name))}}}\n"


def _members(schema: Schema, holder: str = "") -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, inner in schema["properties"].items():
        about = _comment(_described(inner), "  ")
        mark = "" if name in required else "?"
        kind = OF_EVENTS.get((holder, name)) or written(inner)
        yield f"{about}{_wrapped(f'  {_key(name)}{mark}: ', kind)}"


def _wrapped(start: str, kind: str) -> str:
    """Return a line, or one for each choice of a union that is too long for it."""
    line = f"{start}{kind};\n"
    if len(line) <= WIDTH or "(" in kind or "{" in kind:
        return line
    return start.rstrip() + "".join(f"\n    | {one}" for one in kind.split(" | ")) + ";\n"


def _described(schema: Schema) -> list[str]:
    text = schema.get("description", "")
    return [
        "" if text in OBVIOUS else text,
        "@deprecated" if schema.get("deprecated") else "",
    ]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else json.dumps(name)


def written(schema: Schema) -> str:
    """Return the TypeScript of a schema's values."""
    if "$ref" in schema:
        return api_document.name_of(schema)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " | ".join(dict.fromkeys(written(inner) for inner in schema[word]))
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = schema.get("type")
    if kind == "array":
        inner = written(schema["items"])
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kind == "object":
        if "properties" in schema:
            return "{ " + " ".join(line.strip() for line in _members(schema)) + " }"
        values = schema.get("additionalProperties")
        return f"Record<string, {written(values) if isinstance(values, dict) else 'unknown'}>"
    plain = {
        "string": "string",
        "integer": "number",
        "number": "number",
        "boolean": "boolean",
        "null": "null",
    }
    return plain.get(str(kind), "unknown")


def _comment(parts: Iterable[str], indent: str) -> str:
    """Return *parts* as a documentation comment, or nothing without any."""
    lines: list[str] = []
    for part in filter(None, parts):
        text = part.replace("*/", "* /")
        for paragraph in text.split("\n\n"):
            lines += [""] if lines and not paragraph.startswith("@") else []
            lines += textwrap.wrap(paragraph, WIDTH - len(indent) - 8)
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{body}{indent} */\n"


@dataclass(frozen=True)
class Call:
    """One method of a group of calls.

    :param given: its entry in ``calls.toml``.
    :param declared: its operation in the document.
    """

    name: str
    given: Mapping[str, Any]
    method: str
    path: str
    declared: Schema
    schemas: Mapping[str, Schema]
    used: set[str] = field(default_factory=set)

    def _parameters(self, place: str) -> list[Schema]:
        return [one for one in self.declared.get("parameters", ()) if one["in"] == place]

    @cached_property
    def ids(self) -> list[tuple[str, str]]:
        """The names and types of the ids in the path."""
        return [(_camel(one["name"]), written(one["schema"])) for one in self._parameters("path")]

    @cached_property
    def query(self) -> list[Schema]:
        """The parameters of the query that are not deprecated."""
        return [one for one in self._parameters("query") if not one.get("deprecated")]

    @property
    def query_type(self) -> str:
        operation = self.declared["operationId"]
        return f"{operation[0].upper()}{operation[1:]}Query"

    @property
    def pages(self) -> bool:
        return "page" in self.given

    @cached_property
    def _bodies(self) -> Mapping[str, Any]:
        return dict(self.declared.get("requestBody", {}).get("content", {}))

    @cached_property
    def _answer(self) -> Any:
        (answer,) = (one for status, one in self.declared["responses"].items() if status < "300")
        return next(iter(answer.get("content", {"": {}}).items()))

    def _type(self, schema: Schema) -> str:
        text = written(schema)
        self.used.update(set(re.findall(r"\w+", text)) & set(self.schemas))
        return text

    @cached_property
    def answer(self) -> tuple[str, str]:
        """The type of the answer, and how it is read."""
        media, content = self._answer
        if not media:
            return "void", "none"
        if media != "application/json":
            return "Blob", "blob"
        name = written(content["schema"])
        properties = self.schemas.get(name, {}).get("properties", {})
        if list(properties) == ["data"] and name != "Sent":
            return self._type(properties["data"]), "data"
        return self._type(content["schema"]), "json"

    @property
    def item(self) -> str:
        """The type of what the pages hold."""
        return self._type(self.schemas[self.answer[0]]["properties"]["data"]["items"])

    @cached_property
    def arguments(self) -> list[tuple[str, str, str]]:
        """Name, type and default of each argument."""
        found = [(name, kind, "") for name, kind in self.ids]
        if "multipart/form-data" in self._bodies:
            found.append(("file", "NamedFile", ""))
        elif self._bodies:
            schema = self._bodies["application/json"]["schema"]
            kind = self.given.get("body") or self._type(schema)
            empty = not self.schemas.get(kind, {"required": [""]}).get("required")
            found.append(("body", kind, "{}" if empty else ""))
        if self.query:
            needed = any(one.get("required") for one in self.query)
            found.append(("query", self.query_type, "" if needed else "{}"))
        found.append(("options", self._options, "{}"))
        return found

    @property
    def _options(self) -> str:
        headers = {one["name"] for one in self._parameters("header")}
        if "Idempotency-Key" in headers:
            return "PostOptions"
        return "VersionedOptions" if "If-Match" in headers else "Options"

    def text(self) -> str:
        """Return the method, and before it the one for a page, if there are pages."""
        template = re.sub(r"{\w+}", "{}", self.path)
        given = [name for name, _kind, _default in self.arguments if name not in dict(self.ids)]
        parts = [*given]
        if self.given.get("once"):
            parts.append("once: true")
        if "once_with" in self.given:
            tests = " || ".join(f"isSet(body.{name})" for name in self.given["once_with"])
            parts.append(f"once: {tests}")
        if "takes" in self.given:
            parts.append(f"takes: {self.given['takes']}")
        ids = ", ".join(name for name, _kind in self.ids)
        kind, how = self.answer
        about = self.declared.get("description", "")
        call = f'return this.http.{how}("{self.method}", "{template}", [{ids}], {{ {", ".join(parts)} }});'
        if len(call) > WIDTH - 4:
            listed = "".join(f"\n      {part}," for part in parts)
            call = f'return this.http.{how}("{self.method}", "{template}", [{ids}], {{{listed}\n    }});'
        comment = _comment([_sentence(self.declared["summary"]), about], "  ")
        name = self.given.get("page", self.name)
        if self.pages:
            comment = _comment([f"Return one page; see {{@link {self.name}}}."], "  ")
        made = comment + _method(name, self.arguments, f"Promise<{kind}>", call)
        return made + ("\n" + self._iterator(name) if self.pages else "")

    def _iterator(self, page: str) -> str:
        # The newest first goes backwards alone.
        omitted = '"cursor" | "after"' if self.given.get("reverse") else '"cursor"'
        arguments = [
            (name, f"Omit<{kind}, {omitted}>" if name == "query" else kind, default)
            for name, kind, default in self.arguments
        ]
        # The provider decides how long a page of its templates is.
        limit = "limit: 100, " if any(one["name"] == "limit" for one in self.query) else ""
        given = ", ".join(
            f"{{ {limit}...query, cursor }}" if name == "query" else name for name, _k, _d in arguments
        )
        reverse = ", true" if self.given.get("reverse") else ""
        code = f"return pages((cursor) => this.{page}({given}){reverse});"
        end = "It goes through all pages." + (" The newest comes first." if reverse else "")
        about = self.declared.get("description", "")
        comment = _comment([f"{_sentence(self.declared['summary'])} {end}", about], "  ")
        return comment + _method(self.name, arguments, f"AsyncGenerator<{self.item}, void>", code)

    def query_text(self) -> str:
        """Return the interface of the query."""
        lines = []
        for one in self.query:
            schema = one["schema"]
            kind = self._type(schema)
            if schema.get("format") == "date-time":
                kind = "Date | string"
            elif one["name"] in {"assignee", "team"} and kind == "string":
                kind = 'number | "none"'
            elif "labels" in one["name"].lower():
                kind = "readonly number[]"
            about = _comment(_described(one), "  ")
            mark = "" if one.get("required") else "?"
            end = " | undefined" if mark else ""
            lines.append(f"{about}  {one['name']}{mark}: {kind}{end};\n")
        return f"export interface {self.query_type} {{\n{''.join(lines)}}}\n"


def _method(name: str, arguments: Iterable[tuple[str, str, str]], answer: str, code: str) -> str:
    written_out = [f"{one}: {kind}{f' = {default}' if default else ''}" for one, kind, default in arguments]
    head = f"  {name}({', '.join(written_out)}): {answer} {{"
    if len(head) > WIDTH:
        head = f"  {name}(\n" + "".join(f"    {one},\n" for one in written_out) + f"  ): {answer} {{"
    return f"{head}\n    {code}\n  }}\n"


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def calls(document: Schema, table: Mapping[str, Any]) -> str:
    """Return the module with a class for each group of calls.

    :raises ValueError: for an operation of the document without a call, or the other way round.
    """
    operations = api_document.operations(document)
    used: set[str] = set()
    left = set(operations) - set(table["by_hand"])
    queries: dict[str, str] = {}
    groups = []
    for group, entries in table.items():
        if group == "by_hand":
            continue
        methods = []
        for name, entry in entries.items():
            given = {"operation": entry} if isinstance(entry, str) else entry
            if given["operation"] not in operations:
                raise ValueError(f"{group}.{name}: the document has no operation {given['operation']}")
            left.discard(given["operation"])
            method, path, declared = operations[given["operation"]]
            call = Call(name, given, method, path, declared, document["components"]["schemas"], used)
            if call.query:
                queries[call.query_type] = call.query_text()
            methods.append(call.text())
        title = f"{group[0].upper()}{group[1:]}Calls"
        groups.append(f"export class {title} extends Calls {{\n" + "\n".join(methods) + "}\n")
    if left:
        raise ValueError(f"tools/calls.toml has no call for {', '.join(sorted(left))}")
    return HEAD + _imports(used) + "\n" + "\n".join([*queries.values(), *groups])


def _imports(used: Iterable[str]) -> str:
    names = "".join(f"  {name},\n" for name in sorted(used))
    return (
        'import { Calls, isSet } from "../calls.js";\n'
        'import type { Outgoing, Sendable } from "../content.js";\n'
        'import type { NamedFile, Options, PostOptions, VersionedOptions } from "../http.js";\n'
        'import { pages } from "../pages.js";\n'
        f'import type {{\n{names}}} from "./types.js";\n'
    )


def files() -> dict[Path, str]:
    """Return what each made file should hold."""
    described = api_document.described()
    table = tomllib.loads((HERE / "calls.toml").read_text())
    return {
        GENERATED / "types.ts": types(described),
        GENERATED / "calls.ts": calls(described, table),
    }


def main() -> None:
    api_document.write(files(), HERE.parent)


if __name__ == "__main__":
    main()
