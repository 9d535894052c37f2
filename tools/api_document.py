"""Read the API's document for the generators of the clients, and write what they make.

``clients/python/tools/generate.py`` and ``clients/typescript/tools/generate.py`` use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]
SCHEMAS = "#/components/schemas/"


def described() -> Schema:
    """Return the newest document of a desk with every feature, and without channels."""
    import host.process.features  # noqa: F401 - loads the features whose routes the document describes
    from host.api.http import versions
    from host.api.http.openapi import document

    return document("https://desk.example.com", version=versions.CURRENT)


def rule_bodies() -> dict[str, Schema]:
    """Return the schemas of a rule's body, ``RuleBody``, which the document only calls an object."""
    from host.api.http import schemas
    from host.rules.body import EVENTS, Body
    from host.sdk.messages import MessageKind

    found: dict[str, Schema] = schemas.of_types([Body], "Rule")[1]
    # Words that it only knows as text, because it may read rules of a newer desk.
    found["RuleBody"]["properties"]["when"] = {"enum": sorted(EVENTS)}
    found["RuleSent"]["properties"]["kinds"]["items"] = {"enum": sorted(map(str, MessageKind))}
    return found


def sequence_bodies() -> dict[str, Schema]:
    """Return the schemas of a sequence's body, ``SequenceBody``, which the document only calls an object."""
    from host.api.http import schemas
    from host.sdk.messages import MessageKind
    from host.sequences.body import Body

    found: dict[str, Schema] = schemas.of_types([Body], "Sequence")[1]
    found["SequenceSent"]["properties"]["kinds"]["items"] = {"enum": sorted(map(str, MessageKind))}
    return found


BODIES: Mapping[str, Sequence[str]] = {
    "RuleBody": ("CreateRule", "ReplaceRule", "Rule"),
    "SequenceBody": ("CreateSequence", "ReplaceSequence", "SequenceDetail", "SequenceVersion"),
}
"""Types of the document whose field ``body`` it only calls an object, by what that is."""


def bodies() -> dict[str, Schema]:
    """Return the schemas of all that the document only calls an object."""
    return {**rule_bodies(), **sequence_bodies()}


def event_groups(names: Iterable[str]) -> list[str]:
    """Return what stands for all events that begin alike, such as ``message.*``, in the order of *names*."""
    return list(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in names))


def operations(document: Schema) -> dict[str, tuple[str, str, Schema]]:
    """Return method, path and description of each operation that is not deprecated, by its id."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not operation.get("deprecated")
    }


def events(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Yield name, summary and schema of the data of each event."""
    for name, path in document["webhooks"].items():
        body = path["post"]["requestBody"]["content"]["application/json"]["schema"]
        yield name, path["post"]["summary"], body["properties"]["data"]


def references(schema: Any) -> set[str]:
    """Return the names of the schemas that *schema* refers to."""
    if isinstance(schema, list):
        return set().union(*map(references, schema))
    if not isinstance(schema, Mapping):
        return set()
    found = set().union(*(references(value) for key, value in schema.items() if key != "discriminator"))
    return found | {name_of(schema)} if str(schema.get("$ref", "")).startswith(SCHEMAS) else found


def reference(name: str) -> dict[str, str]:
    """Return a reference to the schema *name*."""
    return {"$ref": SCHEMAS + name}


def name_of(reference: Schema) -> str:
    """Return the name of the schema that a reference names."""
    return str(reference["$ref"].rpartition("/")[2])


def reached(roots: Any, schemas: Schema) -> set[str]:
    """Return the names of the schemas that *roots* refer to, directly or through others."""
    found: set[str] = set()
    todo = references(roots)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo |= references(schemas[name])
    return found


def write(files: Mapping[Path, str], root: Path) -> None:
    """Write the files whose content changed, and print their names below *root*."""
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(root)}")
