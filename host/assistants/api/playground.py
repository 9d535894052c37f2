"""Routes for the playground: answers of an assistant that are neither sent nor stored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from msgspec import Meta

from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import BodyError
from host.assistants import assistants, trials
from host.assistants.api.turns import AssistantSource, source
from host.assistants.assistants import AccountNotThereError, AssistantNotFoundError
from host.assistants.models import Assistant as Row
from host.assistants.models import LanguageModel as ModelRow
from host.assistants.trials import MOST_LINES, Played, PlaygroundAccount
from host.channels.api.accounts import AccountNotFoundError, find_account
from host.core import db
from host.users.api_keys import Scope

routes = Router("Assistants", write=Scope.AUTOMATION_WRITE)

Words = Annotated[str, Meta(max_length=10_000, description="Only the first 1,000 characters are used.")]


class PlayedLine(Wire, frozen=True):
    """An earlier message of the conversation."""

    by: Literal["customer", "assistant"]
    text: Words


class Play(Wire, frozen=True):
    """A question from a customer."""

    question: Words
    before: Annotated[
        tuple[PlayedLine, ...],
        Meta(max_length=MOST_LINES - 1, description="Earlier messages, oldest first."),
    ] = ()
    account_id: Annotated[
        Id | None,
        Meta(description="The account to test on, with the buttons and tools of its channel; null: none."),
    ] = None


class PlayedUse(Wire, frozen=True):
    """A tool call. Tools that do more than read are not run."""

    tool: str
    arguments: dict[str, Any]
    told: Annotated[str, Meta(description="The result the model received.")]
    took_ms: int


class PlayedThere(Wire, frozen=True):
    """Restrictions of the account."""

    account: str
    person_button: Annotated[bool, Meta(description="Whether *Talk to a person* would be added.")]
    writes: Annotated[bool, Meta(description="Whether a program could reply if the customer wrote now.")]
    until: Annotated[Moment | None, Meta(description="When that would end; null: never.")]


class PlayedAnswer(Wire, frozen=True):
    """The answer an assistant would give."""

    outcome: Annotated[
        Literal["answers", "hands_over", "failed"],
        Meta(description="`hands_over`: it would hand off to the team. `failed`: something went wrong."),
    ]
    reason: Annotated[
        str | None, Meta(description="Why there is no answer, as a stable word such as `no_source`.")
    ]
    because: Annotated[str, Meta(description="The model's reason, for the team.")]
    text: Annotated[str, Meta(description="The answer; empty: none.")]
    sources: Annotated[list[AssistantSource], Meta(description="The sources of the answer.")]
    weighed: Annotated[int, Meta(description="Number of sources considered.")]
    offers: Annotated[list[str], Meta(description="Topics it would offer as buttons.")]
    tools: Annotated[list[PlayedUse], Meta(description="Its tool calls.")]
    model: Annotated[str | None, Meta(description="Null: no model was used.")]
    tokens: int
    cost: Annotated[int, Meta(description="In millionths of `currency`.")]
    currency: Annotated[str | None, Meta(description="Null: it has no model.")]
    took_ms: int
    there: Annotated[PlayedThere | None, Meta(description="Null: no account was given.")]


def _shown(one: Played, currency: str | None) -> PlayedAnswer:
    there = one.there
    return PlayedAnswer.of(
        one,
        outcome="failed" if one.failed else "hands_over" if one.hands_over else "answers",
        reason=one.reason or None,
        sources=[source(each) for each in one.sources if each.used],
        weighed=len(one.sources),
        offers=[each.title for each in one.offers],
        tools=[PlayedUse.of(each, arguments=dict(each.arguments)) for each in one.calls],
        model=one.model or None,
        tokens=one.tokens_in + one.tokens_out,
        currency=currency,
        there=None if there is None else PlayedThere.of(there, person_button=there.to_person),
    )


@routes.post(
    "/assistants/{assistant_id}/playground",
    "Try an assistant in the playground",
    errors=(AssistantNotFoundError, AccountNotFoundError, AccountNotThereError),
    examples={
        "A question": {"question": "Do you ship to Norway?"},
        "On an account": {
            "question": "And to Sweden?",
            "before": [
                {"by": "customer", "text": "Do you ship to Norway?"},
                {"by": "assistant", "text": "Yes, within 4 to 6 days."},
            ],
            "accountId": 3,
        },
    },
    fields={AccountNotThereError: "accountId", AccountNotFoundError: "accountId"},
)
def play_assistant(call: Call, assistant_id: int, body: Play) -> PlayedAnswer:
    """Nothing is sent or stored. It costs as much as an answer, and can take as long.

    Only tools that read are run. It doesn't count towards any limit.
    """
    question = trials.line(body.question)
    if not question:
        raise BodyError(_l("The question is missing."), field="question")
    on = None
    its = sa.select(ModelRow.currency).join(Row, Row.model_id == ModelRow.id).where(Row.id == assistant_id)
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
        if body.account_id is not None:
            account = find_account(session, call, body.account_id, field="accountId")
            on = PlaygroundAccount(account.id, call.directory)
        currency = session.scalar(its)
    before = [(one.by, text) for one in body.before if (text := trials.line(one.text))]
    lines = [*before, (trials.CUSTOMER, question)]
    return _shown(trials.play(call.workspace_id, assistant_id, lines, on=on), currency)
