"""Make JSON schemas of types, in the form that all common generators of clients understand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

_REF = "#/components/schemas/{name}"


def reference(name: str) -> dict[str, Any]:
    """Return a reference to the component *name*."""
    return {"$ref": _REF.format(name=name)}


def of_types(types: Sequence[Any], prefix: str = "") -> tuple[list[Any], dict[str, Any]]:
    """Return a schema for each of *types*, and the components they refer to, by name.

    A component is named only after its class, so that classes can move between modules.

    :param prefix: starts the name of each component.
    :raises ValueError: if two classes share a name: in that case msgspec names both after their modules.
    """
    made, components = msgspec.json.schema_components(types, ref_template=_REF.replace("{", prefix + "{"))
    if shared := sorted(name for name in components if not name.isidentifier()):
        raise ValueError(f"give these types of the API names of their own: {', '.join(shared)}")
    return [portable(one) for one in made], {
        # Some generators name a type after its title, others after its component.
        prefix + name: {**portable(schema), "title": prefix + name}
        for name, schema in components.items()
    }


def merged(*parts: dict[str, Any]) -> dict[str, Any]:
    """Return the components of all *parts*.

    :raises ValueError: if two of them have a component of one name.
    """
    made: dict[str, Any] = {}
    for part in parts:
        if shared := sorted(made.keys() & part.keys()):
            raise ValueError(f"give these types of the API names of their own: {', '.join(shared)}")
        made |= part
    return made


def of_sample(value: Any) -> dict[str, Any]:
    """Return a schema of values like *value*, plain JSON: its keys, none of them required, and types."""
    if isinstance(value, dict):
        return {"type": "object", "properties": {name: of_sample(inner) for name, inner in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"type": "array", "items": of_sample(value[0]) if value else {}}
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))
    return next((portable({"type": name}) for kind, name in kinds if isinstance(value, kind)), {})


_INT32_MAX = 2**31 - 1


def portable(schema: Any) -> Any:
    """Return *schema* with the same meaning, but without what generators of clients make mistakes of.

    - A default that is an object isn't valid in clients for Go. It is left out.
    - An integer has 32 bits in Go and Java unless its format says otherwise.
    - An enum can't have booleans in clients for Python.
    - With a discriminator exactly one of several types fits, but TypeScript needs to be told.
    """
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if key != "default" or not isinstance(value, dict)}
    if made.get("type") == "integer" and made.get("maximum", _INT32_MAX + 1) > _INT32_MAX:
        made.setdefault("format", "int64")
    if len(values := made.get("enum", ())) == 1 and isinstance(values[0], bool):
        del made["enum"]
        made |= {"type": "boolean", "const": values[0]}
    if "properties" in made:
        made["properties"] = {name: portable(inner) for name, inner in made["properties"].items()}
    for key in ("anyOf", "oneOf"):
        if key in made:
            made[key] = [portable(one) for one in made[key]]
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = portable(made[key])
    if "discriminator" in made and "anyOf" in made:
        made["oneOf"] = made.pop("anyOf")
    return made
