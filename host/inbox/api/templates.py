"""API route of an account's approved templates, which the provider lists."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from msgspec import Meta

from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Router, Wire
from host.api.http.errors import CursorError
from host.api.shapes import Cursor
from host.channels.api.accounts import AccountNotFoundError, find_account
from host.core import db
from host.core.errors import NotFoundError
from host.inbox import approved, approved_fetching
from host.inbox.errors import AccountDisconnectedError, KindNotSupportedError, UnknownChannelError
from host.models.channels import AccountState, ref
from host.sdk import channel
from host.users.api_keys import Scope
from host.web.languages import gettext as _

routes = Router("Accounts", read=(Scope.MESSAGES_READ, Scope.MESSAGES_WRITE))

LIST = "templates"


class TemplateQuery(Wire, frozen=True):
    """A page of templates."""

    cursor: Annotated[str | None, Meta(description="`next` of the previous page.")] = None


class ApprovedParameter(Wire, frozen=True):
    """A parameter to fill in. The template's texts contain it as `{{key}}`."""

    key: str
    label: Annotated[str, Meta(description="Its name for people.")]
    example: str
    max_length: Annotated[int, Meta(description="Maximum characters of its value.")]


class ApprovedHeader(Wire, frozen=True):
    """The part above the text: a text, or one file of another `kind`."""

    kind: Annotated[str, Meta(description="`text`, `image`, `video` or `file`. More can be added.")]
    text: str


class ApprovedButton(Wire, frozen=True):
    """A button. It opens `url` or calls `phone`; with neither, a tap sends its title."""

    title: str
    url: str
    phone: str


class ApprovedTemplate(Wire, frozen=True):
    """A template at the provider, in one language."""

    id: Annotated[str, Meta(description="The provider's id, `templateId` of a message.")]
    name: str
    language: Annotated[str, Meta(description="BCP 47 tag, such as `pt-BR`.")]
    state: Literal["approved", "pending", "rejected", "paused", "disabled"]
    reason: Annotated[str, Meta(description="Why it can't be sent; empty if it can.")]
    category: Annotated[str, Meta(description="The provider's category; empty: unknown.")]
    price: Annotated[str, Meta(description="What a message costs, for people; empty: unknown.")]
    promotional: Annotated[bool, Meta(description="Whether it advertises something.")]
    header: ApprovedHeader | None
    body: str
    footer: str
    buttons: list[ApprovedButton]
    parameters: list[ApprovedParameter]


class ApprovedTemplates(Wire, frozen=True):
    """A page of templates, in the provider's order."""

    data: list[ApprovedTemplate]
    next: Annotated[Cursor | None, Meta(description="Cursor for the next page; null on the last.")]


@routes.get(
    "/accounts/{account_id}/templates",
    "List approved templates",
    limited=True,
    errors=(
        CursorError,
        AccountNotFoundError,
        AccountDisconnectedError,
        UnknownChannelError,
        KindNotSupportedError,
        approved_fetching.TemplatesNotListedError,
    ),
)
def list_templates(call: Call, account_id: int | str, query: TemplateQuery) -> ApprovedTemplates:
    """The texts that the provider checks in advance, in every state.

    Only those that are `approved` can be sent, in a message of the kind `approved_template`.

    The provider is asked while you wait; a page is cached for two minutes.
    """
    with db.read() as session:
        row = find_account(session, call, account_id)
    adapter = call.adapter(row.channel)
    if adapter is None:
        raise UnknownChannelError()
    if not adapter.capabilities.approved_templates:
        raise KindNotSupportedError()
    if row.state == AccountState.DISCONNECTED:
        raise AccountDisconnectedError()
    name = f"{LIST} of account {row.id}"
    after = "" if query.cursor is None else cursors.read_text(name, query.cursor, "cursor")
    try:
        page = approved_fetching.page(adapter, ref(row), after)
    except NotFoundError:
        raise CursorError(field="cursor") from None
    return ApprovedTemplates(
        data=[_shown(template) for template in page.templates],
        next=cursors.write_text(name, page.after) if page.after else None,
    )


def _shown(template: channel.ApprovedTemplate) -> ApprovedTemplate:
    header = template.header
    return ApprovedTemplate.of(
        template,
        id=template.external_id,
        state=cast(Literal["approved"], template.state.value),
        reason=approved.why_not(template),
        category=_(template.category) if template.category else "",
        price=_(template.price) if template.price else "",
        header=None if header is None else ApprovedHeader(kind=header.kind.value, text=header.text),
        buttons=[ApprovedButton.of(one) for one in template.buttons],
        parameters=[
            ApprovedParameter.of(one, label=approved.label_of(one))
            for one in approved.parameters_of(template)
        ],
    )
