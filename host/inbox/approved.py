"""Fill in an approved template: its parameters, checked, and the message it becomes. Everything is pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from host.core.cleaning import clean
from host.inbox.drafts import Draft
from host.inbox.sendable import NotSendableError
from host.sdk.approved import fill_in, placeholders
from host.sdk.channel import ApprovalState, ApprovedParameter, ApprovedTemplate
from host.sdk.messages import MessageKind
from host.web.languages import gettext

STATES: Mapping[ApprovalState, object] = {
    ApprovalState.APPROVED: _l("Approved"),
    ApprovalState.PENDING: _l("In review"),
    ApprovalState.REJECTED: _l("Rejected"),
    ApprovalState.PAUSED: _l("Paused"),
    ApprovalState.DISABLED: _l("Disabled"),
}
"""Names of the states, for people."""
_WHY: Mapping[ApprovalState, object] = {
    ApprovalState.PENDING: _l("The provider has not approved it yet."),
    ApprovalState.REJECTED: _l("The provider rejected it."),
    ApprovalState.PAUSED: _l("The provider paused it."),
    ApprovalState.DISABLED: _l("The provider disabled it."),
}

SUGGESTED: Mapping[str, str] = {
    "name": "contact.name",
    "contact_name": "contact.name",
    "customer_name": "contact.name",
    "full_name": "contact.name",
    "first_name": "contact.first_name",
    "customer_first_name": "contact.first_name",
    "agent_name": "agent.name",
    "email": "contact.email",
    "customer_email": "contact.email",
    "company": "workspace.name",
    "company_name": "workspace.name",
}
"""Variables that a parameter is prefilled with, by its key."""


def why_not(template: ApprovedTemplate) -> str:
    """Return why *template* cannot be sent; empty if it can."""
    if template.state is ApprovalState.APPROVED:
        return ""
    return gettext(template.sentence) if template.sentence else str(_WHY[template.state])


def label_of(parameter: ApprovedParameter) -> str:
    """Return the name of a parameter for people."""
    if parameter.label:
        return gettext(parameter.label)
    if parameter.key.isdigit():
        return str(_l("Parameter %(number)s", number=parameter.key))
    return parameter.key.replace("_", " ").strip().capitalize() or parameter.key


def suggestions(template: ApprovedTemplate, values: Mapping[str, str]) -> dict[str, str]:
    """Return the initial value of each parameter that a variable fits.

    :param values: of the variables of canned replies.
    """
    found = {
        one.key: values.get(SUGGESTED.get(one.key.lower(), ""), "")[: one.max_length]
        for one in parameters_of(template)
    }
    return {key: value for key, value in found.items() if value}


def file_kind(template: ApprovedTemplate) -> MessageKind | None:
    """Return the kind of file that *template* needs above its text; None if it needs none."""
    header = template.header
    return None if header is None or header.kind is MessageKind.TEXT else header.kind


def draft_of(
    template: ApprovedTemplate,
    given: Mapping[str, str],
    *,
    uploads: tuple[str, ...] = (),
) -> Draft:
    """Return the message that *template* becomes with the values *given*, by key.

    :param uploads: ids of uploaded files: one if the template needs a file, otherwise none.
    :raises NotSendableError: codes ``template_not_approved``, ``template_parameter``,
        ``template_parameter_unknown``.
    """
    why = why_not(template)
    if why:
        raise NotSendableError(
            "template_not_approved",
            why,
            next_step=_l("Choose another template. Nothing was sent."),
            field="template_id",
            status=409,
        )
    values = _values(template, given)
    header = template.header
    content: dict[str, Any] = {
        "id": template.external_id,
        "name": template.name,
        "language": template.language,
        "category": template.category,
        "header": None
        if header is None
        else {"kind": header.kind.value, "text": fill_in(header.text, values)},
        "footer": fill_in(template.footer, values),
        "buttons": [
            {"title": one.title, "url": fill_in(one.url, values), "phone": one.phone}
            for one in template.buttons
        ],
        "parameters": values,
        "promotional": template.promotional,
    }
    return Draft(
        MessageKind.APPROVED_TEMPLATE,
        text=fill_in(template.body, values),
        uploads=uploads,
        content={"approved_template": content},
    )


def _values(template: ApprovedTemplate, given: Mapping[str, str]) -> dict[str, str]:
    known = {one.key: one for one in parameters_of(template)}
    for key in given:
        if key not in known:
            raise NotSendableError(
                "template_parameter_unknown",
                _l("The template has no parameter “%(key)s”. Nothing was sent.", key=key[:64]),
                next_step=_l("List the templates again, then fill in the parameters that it has."),
                field="parameters",
            )
    found = {}
    for key, parameter in known.items():
        value = " ".join(clean(given.get(key, "")).split())
        name = label_of(parameter)
        if not value:
            raise NotSendableError(
                "template_parameter",
                _l("“%(name)s” is empty. Nothing was sent.", name=name),
                next_step=_l("Fill in every field of the template."),
                field=f"parameters.{key}",
            )
        if len(value) > parameter.max_length:
            raise NotSendableError(
                "template_parameter",
                _l(
                    "“%(name)s” has %(count)s characters; at most %(most)s are allowed.",
                    name=name,
                    count=len(value),
                    most=parameter.max_length,
                ),
                next_step=_l("Make it shorter."),
                field=f"parameters.{key}",
                limit=parameter.max_length,
            )
        found[key] = value
    return found


def parameters_of(template: ApprovedTemplate) -> list[ApprovedParameter]:
    """Return the parameters of *template*, including those that only its texts name."""
    listed = {one.key: one for one in template.parameters}
    for text in template.texts:
        for key in placeholders(text):
            listed.setdefault(key, ApprovedParameter(key))
    return list(listed.values())
