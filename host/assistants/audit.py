"""The sentences of the audit log about assistants."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.assistants.models import Mode

SENTENCES: Mapping[str, LazyString] = {
    "assistant.added": _l("%(who)s added the assistant %(what)s"),
    "assistant.changed": _l("%(who)s changed the prompt of the assistant %(what)s: version %(version)s"),
    "assistant.deleted": _l("%(who)s deleted the assistant %(what)s"),
    "assistant.mode": _l("%(who)s set the mode of the assistant %(what)s on %(account)s: %(mode)s"),
    "assistant.model": _l("%(who)s set the model of the assistant %(what)s: %(model)s"),
    "assistant.opened": _l(
        "%(who)s allowed the assistant %(what)s to answer on %(account)s before "
        "enough suggestions were accepted"
    ),
    "assistant.renamed": _l("%(who)s renamed the assistant %(before)s to %(what)s"),
    "assistant.resumed": _l("%(who)s resumed the assistant %(what)s"),
    "assistant.stopped": _l("%(who)s stopped the assistant %(what)s"),
    "assistant_tool.added": _l("%(who)s added the tool %(what)s to the assistant %(of)s"),
    "assistant_tool.approved": _l("%(who)s passed on a person’s approval of the tool %(what)s"),
    "assistant_tool.chosen": _l("%(who)s set the built-in tools of the assistant %(of)s: %(what)s"),
    "assistant_tool.changed": _l("%(who)s changed the tool %(what)s of the assistant %(of)s"),
    "assistant_tool.deleted": _l("%(who)s deleted the tool %(what)s of the assistant %(of)s"),
    "case.added": _l("%(who)s added a test case to the assistant %(what)s"),
    "case.changed": _l("%(who)s changed a test case of the assistant %(what)s"),
    "case.deleted": _l("%(who)s deleted a test case of the assistant %(what)s"),
    "knowledge.added": _l("%(who)s added an entry to the knowledge of the assistant %(of)s: %(what)s"),
    "knowledge.changed": _l("%(who)s changed an entry in the knowledge of the assistant %(of)s: %(what)s"),
    "past_answer.brought_back": _l("%(who)s restored a dismissed past answer of the assistant %(what)s"),
    "past_answer.dismissed": _l("%(who)s dismissed a past answer of the assistant %(what)s"),
    "knowledge.checked": _l("%(who)s confirmed an entry in the knowledge of the assistant %(of)s: %(what)s"),
    "knowledge.deleted": _l("%(who)s deleted an entry from the knowledge of the assistant %(of)s: %(what)s"),
    "language_model.added": _l("%(who)s added the language model %(what)s at %(host)s"),
    "language_model.changed": _l("%(who)s changed the language model %(what)s at %(host)s"),
    "language_model.deleted": _l("%(who)s deleted the language model %(what)s"),
}

WORDS: Mapping[str, Mapping[str, LazyString]] = {
    "mode": {
        Mode.OFF: _l("Off"),
        Mode.SHADOW: _l("Shadow"),
        Mode.SUGGEST: _l("Suggest"),
        Mode.ANSWER: _l("Answer"),
    },
}

FIELDS: Mapping[str, LazyString | None] = {
    "account": _l("Account"),
    "mode": _l("Mode"),
    "needed": _l("Accepted suggestions needed"),
    "taken_from": _l("Before that"),
    "version": _l("Version"),
    "model": _l("Model"),
    "host": _l("Address"),
    "assistant_tool.of": _l("Assistant"),
    "knowledge.of": _l("Assistant"),
    "conversations": _l("Conversations"),
    "assistant_tool.call": None,
    "assistant_tool.conversation": None,
    "assistant_tool.person": None,
}

AFTER: Mapping[str, str] = {"assistant.mode.before": "mode"}
