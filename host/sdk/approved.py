"""Approved templates: texts a provider checked in advance, which may be sent outside the reply window."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from host.sdk.messages import MessageKind

PLACEHOLDER = re.compile(r"\{\{([0-9A-Za-z_.-]{1,64})\}\}")
"""A parameter's place in a text: ``{{1}}`` or ``{{order_number}}``."""


class ApprovalState(StrEnum):
    """State of a template at the provider. Only approved templates can be sent."""

    APPROVED = "approved"
    PENDING = "pending"
    REJECTED = "rejected"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class ApprovedParameter:
    """A part of a template that the sender fills in.

    :param key: its name or number, unique in the template; its texts contain it as ``{{key}}``. If the
        provider numbers each component from 1, give each a key of its own, such as ``header_1``.
    :param example: the example the provider approved the template with.
    :param label: a name for people, marked with :func:`host.sdk.i18n.noop`; empty: the key.
    :param max_length: maximum characters of its value.
    """

    key: str
    example: str = ""
    label: str = ""
    max_length: int = 1000


@dataclass(frozen=True, slots=True)
class ApprovedHeader:
    """The part above a template's text: a text or, for every other *kind*, one file of that kind."""

    kind: MessageKind = MessageKind.TEXT
    text: str = ""


@dataclass(frozen=True, slots=True)
class ApprovedButton:
    """A button below a template. It opens *url* or calls *phone*; with neither, a tap sends its title."""

    title: str
    url: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class ApprovedTemplate:
    """A template at the provider, in one language.

    :param external_id: the provider's id, unique in the account; with several languages, one for each.
    :param language: BCP 47 tag, such as ``de`` or ``pt-BR``.
    :param category: the provider's category, and *price* what a message costs, for people and marked with
        :func:`host.sdk.i18n.noop`; empty: unknown.
    :param promotional: whether it advertises something, so that people can refuse it.
    :param sentence: with any other state than approved, why it cannot be sent; marked like *category*.
    :param parameters: in the order in which people fill them in.
    """

    external_id: str
    name: str
    language: str
    body: str
    state: ApprovalState = ApprovalState.APPROVED
    sentence: str = ""
    category: str = ""
    price: str = ""
    promotional: bool = False
    header: ApprovedHeader | None = None
    footer: str = ""
    buttons: tuple[ApprovedButton, ...] = ()
    parameters: tuple[ApprovedParameter, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Return all texts that can contain parameters."""
        header = () if self.header is None else (self.header.text,)
        return (*header, self.body, self.footer, *(one.url for one in self.buttons))


@dataclass(frozen=True, slots=True)
class ApprovedPage:
    """A page of an account's templates.

    :param after: the cursor of the next page; empty on the last.
    """

    templates: Sequence[ApprovedTemplate]
    after: str = ""


def placeholders(text: str) -> list[str]:
    """Return the keys of the parameters in *text*, in order and without repeats."""
    return list(dict.fromkeys(PLACEHOLDER.findall(text)))


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with its parameters replaced by *values*; one without a value stays as it is."""
    return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)
