"""Approved templates: read from Meta, and as what is sent.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview

Meta numbers the parameters of each part from 1, or names them. Here each has a key of its own: ``header.1``,
``button.0`` for the button with that index, and in the body its number or name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from host.sdk.channel import (
    AccountRef,
    ApprovalState,
    ApprovedButton,
    ApprovedHeader,
    ApprovedPage,
    ApprovedParameter,
    ApprovedTemplate,
    ProviderProblem,
)
from host.sdk.http import FetchError
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind

from . import accounts, errors
from .graph import Graph, GraphError
from .values import identifier, items, mapping, text

FIELDS = "id,name,language,status,category,components,rejected_reason"
PAGE = "50"
LONGEST = 1024
"""Most characters of a body with its values."""
_PLACE = re.compile(r"\{\{\s*([0-9A-Za-z_]{1,60})\s*\}\}")
_STATES = {
    "APPROVED": ApprovalState.APPROVED,
    "PENDING": ApprovalState.PENDING,
    "IN_APPEAL": ApprovalState.PENDING,
    "PENDING_DELETION": ApprovalState.DISABLED,
    "DELETED": ApprovalState.DISABLED,
    "REJECTED": ApprovalState.REJECTED,
    "PAUSED": ApprovalState.PAUSED,
    "LIMIT_EXCEEDED": ApprovalState.PAUSED,
    "DISABLED": ApprovalState.DISABLED,
}
_CATEGORIES = {
    "MARKETING": noop("Marketing"),
    "UTILITY": noop("Utility"),
    "AUTHENTICATION": noop("Authentication"),
}
_FILES = {"IMAGE": MessageKind.IMAGE, "VIDEO": MessageKind.VIDEO, "DOCUMENT": MessageKind.FILE}
_HEADER = noop("Header")
_LINK = noop("End of the link")
_OTHER = noop("Lobby can't send this kind of template.")
_NO_TOKEN = ProviderProblem("no_token", noop("The token of this number can't be read."))


def page(account: AccountRef, after: str) -> ApprovedPage | ProviderProblem:
    """Return a page of the account's templates, or why Meta didn't list them."""
    found = accounts.of(account)
    if found is None:
        return _NO_TOKEN
    cursor = {"after": after} if after else {}
    try:
        answer = Graph.of(found).get(
            f"{found.business_id}/message_templates", fields=FIELDS, limit=PAGE, **cursor
        )
    except (GraphError, FetchError) as error:
        return _problem(error)
    paging = mapping(answer.get("paging"))
    more = text(mapping(paging.get("cursors")).get("after"), 500) if paging.get("next") else ""
    return ApprovedPage([one for each in items(answer.get("data")) if (one := read(each))], after=more)


def find(account: AccountRef, external_id: str) -> ApprovedTemplate | ProviderProblem:
    """Return a template by its id, or why Meta didn't return it."""
    found = accounts.of(account)
    if found is None:
        return _NO_TOKEN
    gone = ProviderProblem("gone", noop("This template no longer exists at Meta."))
    if not external_id.isdigit():
        return gone
    try:
        return read(Graph.of(found).get(external_id, fields=FIELDS)) or gone
    except (GraphError, FetchError) as error:
        return gone if isinstance(error, GraphError) and error.code == 100 else _problem(error)


def _problem(error: GraphError | FetchError) -> ProviderProblem:
    if isinstance(error, FetchError):
        return ProviderProblem("away", noop("Meta didn't respond."), raw=error.reason)
    entry = errors.meaning(error.code, error.status)
    return errors.problem_of(entry, error.code or error.status, str(error))


# ---- reading -------------------------------------------------------------------------------------------


def read(found: Mapping[str, Any]) -> ApprovedTemplate | None:
    """Return a template as Meta describes it; None without an id, a name or a body."""
    id_, name = identifier(found.get("id")), text(found.get("name"), 512)
    parts = {text(one.get("type"), 40).upper(): one for one in items(found.get("components"))}
    body = mapping(parts.get("BODY"))
    if not id_ or not name or not text(body.get("text")):
        return None
    parameters: dict[str, ApprovedParameter] = {}
    header, can_send = _header(mapping(parts.get("HEADER")), parameters)
    said = _text(body, "body", parameters)
    buttons = _buttons(mapping(parts.get("BUTTONS")), parameters)
    can_send = can_send and None not in buttons and parts.keys() <= {"HEADER", "BODY", "FOOTER", "BUTTONS"}
    state = _STATES.get(text(found.get("status"), 40).upper(), ApprovalState.PENDING)
    category = text(found.get("category"), 40).upper()
    return ApprovedTemplate(
        id_,
        name,
        text(found.get("language"), 20).replace("_", "-"),
        said,
        state if can_send or state is not ApprovalState.APPROVED else ApprovalState.DISABLED,
        sentence="" if can_send or state is not ApprovalState.APPROVED else _OTHER,
        category=_CATEGORIES.get(category, ""),
        promotional=category == "MARKETING",
        header=header,
        footer=text(mapping(parts.get("FOOTER")).get("text"), 200),
        buttons=tuple(one for one in buttons if one is not None),
        parameters=tuple(parameters.values()),
    )


def _header(
    found: Mapping[str, Any], parameters: dict[str, ApprovedParameter]
) -> tuple[ApprovedHeader | None, bool]:
    """Return the header, and whether Lobby can send it."""
    sort = text(found.get("format"), 20).upper()
    if not found or sort == "TEXT":
        said = _text(found, "header", parameters)
        return ApprovedHeader(text=said) if said else None, True
    return (ApprovedHeader(_FILES[sort]), True) if sort in _FILES else (None, False)


def _text(found: Mapping[str, Any], part: str, parameters: dict[str, ApprovedParameter]) -> str:
    """Return a text whose places have keys of this addon's, and note its parameters."""
    examples = mapping(found.get("example"))
    listed = examples.get(f"{part}_text")
    numbered = listed[0] if part == "body" and isinstance(listed, list) and listed else listed
    named = {
        text(one.get("param_name"), 60): text(one.get("example"), 200)
        for one in items(examples.get(f"{part}_text_named_params"))
    }

    def key(place: re.Match[str]) -> str:
        name = place[1]
        made = name if part == "body" else f"{part}.{name}"
        at = int(name) - 1 if name.isdigit() else -1
        shown = isinstance(numbered, list) and 0 <= at < len(numbered)
        example = text(numbered[at], 200) if shown else named.get(name, "")  # type: ignore[index]
        label = _HEADER if part == "header" else ""
        parameters.setdefault(made, ApprovedParameter(made, example, label, max_length=LONGEST))
        return f"{{{{{made}}}}}"

    return _PLACE.sub(key, text(found.get("text"), 4096))


def _buttons(
    found: Mapping[str, Any], parameters: dict[str, ApprovedParameter]
) -> list[ApprovedButton | None]:
    """Return the buttons; None for one that Lobby cannot send."""
    made: list[ApprovedButton | None] = []
    for at, one in enumerate(items(found.get("buttons"))):
        sort, title = text(one.get("type"), 30).upper(), text(one.get("text"), 60)
        url = text(one.get("url"), 2000)
        if sort == "QUICK_REPLY":
            made.append(ApprovedButton(title))
        elif sort == "PHONE_NUMBER":
            made.append(ApprovedButton(title, phone=text(one.get("phone_number"), 40)))
        elif sort == "URL" and url:
            examples = one.get("example")
            example = text(examples[0], 200) if isinstance(examples, list) and examples else ""
            key = f"button.{at}"
            changed = _PLACE.sub(f"{{{{{key}}}}}", url, count=1)
            if changed != url:
                parameters[key] = ApprovedParameter(key, example, _LINK, max_length=2000)
            made.append(ApprovedButton(title, url=changed))
        else:
            made.append(None)
    return made


# ---- sending -------------------------------------------------------------------------------------------


def fields_of(chosen: Mapping[str, Any], header: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields of a message.

    :param chosen: ``content["approved_template"]``.
    :param header: the parameter of a header that is a file.
    """
    # Meta refuses values with line breaks, tabs or several spaces in a row (132018).
    values = {key: " ".join(text(value).split()) for key, value in mapping(chosen.get("parameters")).items()}
    components: list[dict[str, Any]] = []
    head = [header] if header else list(_given(values, "header"))
    if head:
        components.append({"type": "header", "parameters": head})
    if body := list(_given(values, "body")):
        components.append({"type": "body", "parameters": body})
    for key, value in values.items():
        part, _dot, at = key.partition(".")
        if part == "button":
            parameters = [{"type": "text", "text": value}]
            components.append({"type": "button", "sub_type": "url", "index": at, "parameters": parameters})
    template = {
        "name": text(chosen.get("name")),
        "language": {"code": text(chosen.get("language")).replace("-", "_")},
        "components": components,
    }
    return {"type": "template", "template": template}


def _given(values: Mapping[str, str], part: str) -> Iterator[dict[str, str]]:
    """Yield the parameters of a part, numbered ones in order."""
    mine: dict[str, str] = {}
    for key, value in values.items():
        of, dot, name = key.partition(".")
        if (of if dot else "body") == part:
            mine[name if dot else key] = value
    for name in sorted(mine, key=lambda one: (not one.isdigit(), int(one) if one.isdigit() else 0)):
        named = {} if name.isdigit() else {"parameter_name": name}
        yield {"type": "text", **named, "text": mine[name]}
