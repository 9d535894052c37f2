"""The blueprint of the assistants' pages, their addresses, and the frame they share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask import Blueprint, current_app, request, url_for
from flask_babel import format_currency
from flask_babel import lazy_gettext as _l

from host.assistants import assistants
from host.assistants.models import (
    Assistant,
    AssistantCase,
    AssistantTool,
    AssistantVersion,
    KnowledgeEntry,
    LanguageModel,
)
from host.core import db
from host.web import languages
from host.web.languages import gettext as _
from host.web.request_helpers import Permission

bp = Blueprint("assistants", __name__, template_folder="../templates")

ASSISTANTS = "/w/<int:workspace_id>/assistants"
ONE = f"{ASSISTANTS}/<int:assistant_id>"
NEEDS = Permission.ACCOUNTS

MILLION = 1_000_000


class Section(msgspec.Struct, frozen=True):
    """A link in the left column.

    :param count: number shown next to it; None for no number.
    :param narrow: whether it is shown only where a page has no room for the playground.
    """

    key: str
    label: str
    url: str
    count: int | None
    current: bool
    narrow: bool = False


_SECTIONS = (
    ("setup", "assistants.assistant", _l("Setup")),
    ("said", "assistants.said", _l("Recent answers")),
    ("gaps", "assistant_learning.gaps", _l("Unanswered")),
    ("knowledge", "assistant_knowledge.index", _l("Knowledge")),
    ("past", "assistant_learning.past", _l("Past answers")),
    ("prompt", "assistants.prompt", _l("Prompt")),
    ("tools", "assistant_tools.index", _l("Tools")),
    ("limits", "assistants.limits", _l("Limits and costs")),
    ("cases", "assistant_cases.index", _l("Test cases")),
    ("playground", "assistants.playground", _l("Playground")),
)
"""Name, endpoint and label of each section of an assistant; sections without their endpoint are left out."""


class Shell(msgspec.Struct, frozen=True):
    """The frame of an assistant's pages.

    :param currency: the currency of its model.
    :param since: time its version was saved, in words.
    """

    sections: Sequence[Section]
    since: str
    currency: str
    stopped: str


@bp.app_template_global("assistant_shell")
def shell(assistant: Assistant, tab: str = "") -> Shell:
    """Return the frame of *assistant*'s pages. One statement.

    :param tab: the section shown; if unknown it is derived from the address.
    """
    counts = _counts(assistant)
    sections = []
    for key, endpoint, label in _SECTIONS:
        if not has_endpoint(endpoint, "assistant_id"):
            continue
        url = url_for(endpoint, workspace_id=assistant.workspace_id, assistant_id=assistant.id)
        current = tab == key or (tab not in _KEYS and request.endpoint == endpoint)
        sections.append(Section(key, str(label), url, counts.get(key), current, key == "playground"))
    stopped = "" if assistant.stopped_at is None else languages.moment(assistant.stopped_at)
    return Shell(sections, _day(counts["since"]), counts["currency"] or currency_of(None), stopped)


_KEYS = frozenset(key for key, _endpoint, _label in _SECTIONS)


def has_endpoint(endpoint: str, *names: str) -> bool:
    """Return whether this desk has a page whose address has parts of these names."""
    if endpoint not in current_app.view_functions:
        return False
    return all(current_app.url_map.is_endpoint_expecting(endpoint, name) for name in names)


def _counts(assistant: Assistant) -> dict[str, Any]:
    def count(table: Any, *which: Any) -> Any:
        query = sa.select(sa.func.count()).where(table.assistant_id == assistant.id, *which)
        return query.select_from(table).scalar_subquery()

    version = sa.select(AssistantVersion.at).where(
        AssistantVersion.assistant_id == assistant.id, AssistantVersion.number == assistant.version
    )
    currency = sa.select(LanguageModel.currency).where(LanguageModel.id == assistant.model_id)
    query = sa.select(
        version.scalar_subquery().label("since"),
        currency.scalar_subquery().label("currency"),
        count(KnowledgeEntry).label("knowledge"),
        count(AssistantTool).label("tools"),
        count(AssistantCase).label("cases"),
    )
    with db.read() as session:
        return dict(session.execute(query).one()._mapping)


def _day(at: datetime | None) -> str:
    return "" if at is None else languages.reader().date_text(languages.local(at), "d MMM")


def its(workspace_id: int, assistant_id: int) -> Assistant:
    """Return the assistant of the page.

    :raises AssistantNotFoundError: if there is none.
    """
    with db.read() as session:
        return assistants.get(session, workspace_id, assistant_id)


def url_of(workspace_id: int, assistant_id: int, anchor: str = "", **query: object) -> str:
    """Return the address of an assistant's first page.

    :param anchor: the part of the page.
    """
    named: dict[str, Any] = {"workspace_id": workspace_id, "assistant_id": assistant_id, **query}
    return url_for("assistants.assistant", **named, _anchor=anchor or None)


def currency_of(model: LanguageModel | None) -> str:
    """Return the currency of a model; without a model, the most common one."""
    return "USD" if model is None else model.currency


@bp.app_template_global("assistant_case_url")
def case_url(assistant: Assistant) -> str:
    """Return the address of the form for a case, or an empty one if this desk has no cases."""
    if not has_endpoint("assistant_cases.add", "assistant_id"):
        return ""
    return url_for("assistant_cases.add", workspace_id=assistant.workspace_id, assistant_id=assistant.id)


@bp.app_template_global("assistant_money")
def money(millionths: int, currency: str) -> str:
    """Return an amount in words, with as many digits as a small one needs."""
    amount = millionths / MILLION
    if 0 < amount < 0.1:
        pattern = "¤#,##0.000" if amount >= 0.0005 else "¤#,##0.000000"
        return str(format_currency(amount, currency, format=pattern, currency_digits=False))
    return str(format_currency(amount, currency))


@bp.app_template_global("assistant_until")
def until(at: datetime) -> str:
    """Return a time in words."""
    return languages.moment(at)


@bp.app_template_global("assistant_age")
def age(at: str) -> str:
    """Return the age of a source in words; empty if it was current."""
    try:
        since = datetime.fromisoformat(at)
    except ValueError:
        return str(_("now"))
    return str(languages.reader().date_text(languages.local(since), "d MMM y"))
