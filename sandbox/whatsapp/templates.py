"""Message templates: listing them, checking what is sent against them, filling them in (W8)."""

from __future__ import annotations

import re
from typing import Any

from sandbox.graph import paging
from sandbox.graph.call import Call
from sandbox.graph.fields import parse, select
from sandbox.whatsapp.errors import cloud_error, invalid
from sandbox.whatsapp.world import Template, Waba
from sandbox.world import Json

VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
DEFAULT = "name,parameter_format,components,language,status,category,id"
FILTERS = ("name", "language", "status", "category")
MOST_TEXT = 1024
MOST_PAYLOAD, MOST_URL, MOST_CODE = 256, 2000, 15
MEDIA_HEADERS = ("IMAGE", "VIDEO", "DOCUMENT")


def listed(call: Call) -> Json:
    """``GET /{waba}/message_templates``, filtered by name, language, status or category."""
    waba = call.box.whatsapp.accounts[call.node]
    found = waba.templates
    for name in FILTERS:
        wanted = call.text(name, "")
        if wanted and name == "name":
            found = [template for template in found if wanted in template.name]
        elif wanted:
            found = [each for each in found if getattr(each, name).lower() == wanted.lower()]
    fields = parse(call.text("fields", DEFAULT))
    shown = [select(node(template), fields, "WhatsAppBusinessHSM") for template in found]
    answer = paging.paged(call, shown)
    if "next" in answer["paging"]:
        kept = [f"&{name}={call.query[name]}" for name in ("fields", *FILTERS) if name in call.query]
        answer["paging"]["next"] += "".join(kept)
    return answer


def read(call: Call, template: Template) -> Json:
    """Return a template with the requested fields."""
    return select(node(template), parse(call.text("fields", DEFAULT)), "WhatsAppBusinessHSM")


def node(template: Template) -> Json:
    """Return every field of a template."""
    return {
        "id": template.id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "parameter_format": template.parameter_format,
        "components": template.components,
        "rejected_reason": template.rejected_reason,
        "quality_score": {"score": template.quality},
    }


def find(waba: Waba, name: str, language: str) -> Template:
    """Return the template to send; raise 132001, 132015 or 132016."""
    for template in waba.templates:
        if (template.name, template.language) == (name, language):
            if template.status == "PAUSED":
                raise cloud_error(132015)
            if template.status == "DISABLED":
                raise cloud_error(132016)
            if template.status == "APPROVED":
                return template
    raise cloud_error(132001, f"template name ({name}) does not exist in {language}")


class Filled:
    """A template with its parameters: what the customer reads and can tap."""

    def __init__(self, template: Template, sent: list[Json]) -> None:
        self.template = template
        self.text = ""
        self.buttons: list[Json] = []
        self.header: Json | None = None
        """The media object of the header, with an id or a link."""
        lines = []
        for component in template.components:
            kind = component["type"]
            if kind == "BUTTONS":
                self._tap(component["buttons"], _of(sent, "button"))
            elif kind == "HEADER" and component.get("format", "TEXT") in MEDIA_HEADERS:
                self.header = _media(component["format"], _parameters(sent, "header"))
            elif kind in ("HEADER", "BODY"):
                lines.append(self._text(kind.lower(), component["text"], _parameters(sent, kind.lower())))
            elif kind == "FOOTER":
                lines.append(component["text"])
        self.text = "\n".join(lines)

    def _text(self, where: str, text: str, parameters: list[Json]) -> str:
        names = list(dict.fromkeys(VARIABLE.findall(text)))
        if len(parameters) != len(names):
            raise cloud_error(
                132000,
                f"{where}: number of localizable_params ({len(parameters)}) does not match the expected "
                f"number of params ({len(names)})",
            )
        values = {}
        for at, parameter in enumerate(parameters):
            if parameter.get("type") not in ("text", "currency", "date_time"):
                raise cloud_error(
                    132012, f"{where}: Format mismatch, expected TEXT, received {_word(parameter)}"
                )
            name = names[at]
            if self.template.parameter_format == "NAMED":
                name = parameter.get("parameter_name") or ""
                if not name or not isinstance(name, str):
                    raise cloud_error(100, "Parameter name is missing or empty")
                if name not in names:
                    raise cloud_error(132000, f"{where}: parameter {name} does not exist in the template")
            values[name] = _value(where, parameter)
            if self.template.category == "AUTHENTICATION" and len(values[name]) > MOST_CODE:
                why = f"exceeds the parameter length limit {MOST_CODE}"
                raise cloud_error(132018, f"{where}: Parameter at index {at} {why}")
        filled = VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)
        if len(filled) > MOST_TEXT:
            raise cloud_error(132005, f"{where}: the text has more than {MOST_TEXT} characters")
        return filled

    def _tap(self, buttons: list[Json], sent: list[Json]) -> None:
        for given in sent:
            named = str(given.get("index"))
            if not named.isdecimal() or int(named) >= len(buttons):
                raise cloud_error(132018, f"buttons: Button at index {named} does not exist in the template")
        for at, button in enumerate(buttons):
            mine = [each for each in sent if str(each.get("index")) == str(at)]
            parameters = _parameters(mine, "button")
            if len(mine) > 1 or len(parameters) > 1:
                raise cloud_error(132018, f"buttons: Button at index {at} takes one parameter")
            kind = {"QUICK_REPLY": "payload", "URL": "text", "OTP": "text"}.get(button["type"])
            if parameters and (kind is None or parameters[0].get("type", kind) != kind):
                sort = button["type"].title().replace("_", "")
                raise cloud_error(132018, f"buttons: Button at index {at} must be of type {sort}")
            if button["type"] == "QUICK_REPLY":
                payload = str(parameters[0].get("payload") or "") if parameters else ""
                if len(payload) > MOST_PAYLOAD:
                    why = f"exceeds the parameter length limit {MOST_PAYLOAD}"
                    raise cloud_error(132018, f"buttons: Parameter at index {at} {why}")
                self.buttons.append(
                    {"kind": "button", "title": button["text"], "id": payload or button["text"]}
                )
            elif button["type"] == "URL":
                url = button["url"]
                if VARIABLE.search(url):
                    if not parameters:
                        raise cloud_error(
                            131008, f"buttons: Button at index {at} of type Url requires a parameter"
                        )
                    url = VARIABLE.sub(str(parameters[0].get("text", "")), url)
                    if len(url) > MOST_URL:
                        why = f"exceeds the length limit {MOST_URL}"
                        raise cloud_error(132018, f"buttons: Url of the button at index {at} {why}")
                self.buttons.append({"kind": "link", "title": button["text"], "id": url})


def _of(sent: list[Json], kind: str) -> list[Json]:
    return [component for component in sent if str(component.get("type", "")).lower() == kind]


def _parameters(sent: list[Json], kind: str) -> list[Json]:
    found: list[Json] = []
    for component in _of(sent, kind):
        parameters = component.get("parameters") or []
        if not isinstance(parameters, list) or not all(isinstance(each, dict) for each in parameters):
            raise invalid("Param template['components'][0]['parameters'] must be an array of objects.")
        found += parameters
    return found


def _word(parameter: Json) -> str:
    return str(parameter.get("type", "unknown")).upper()


def _value(where: str, parameter: Json) -> str:
    kind = parameter["type"]
    value: Any = parameter.get(kind)
    if kind != "text":
        value = value.get("fallback_value") if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise cloud_error(131008, f"{where}: Parameter of type {kind} is missing text value")
    if re.search(r"[\n\t]| {5,}", value):
        why = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
        raise cloud_error(132018, f"{where}: {why}")
    return value


def _media(kind: str, parameters: list[Json]) -> Json:
    if len(parameters) != 1:
        raise cloud_error(132012, f"header: Format mismatch, expected {kind}, received UNKNOWN")
    parameter = parameters[0]
    if _word(parameter) != kind:
        raise cloud_error(132012, f"header: Format mismatch, expected {kind}, received {_word(parameter)}")
    content = parameter.get(kind.lower())
    if not isinstance(content, dict) or not (content.get("id") or content.get("link")):
        raise invalid(f"The parameter {kind.lower()}['id'] or {kind.lower()}['link'] is required.")
    return {"kind": kind.lower(), **content}
