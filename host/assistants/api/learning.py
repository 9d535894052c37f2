"""Routes for past answers: what the team answers repeatedly, as suggested knowledge entries."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.assistants import assistants
from host.assistants.assistants import AssistantNotFoundError
from host.assistants.knowledge import learning
from host.assistants.knowledge.learning import DismissedError, NotDismissedError
from host.core import db
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Assistants", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)


class PastAnswer(Wire, frozen=True):
    """An answer that people of the team gave several times, as a suggested entry."""

    title: str
    text: Annotated[str, Meta(description="May contain personal data of a customer: see `personal`.")]
    personal: Annotated[
        list[str],
        Meta(description="Parts of the text that may be a customer's name, address, phone or order number."),
    ]
    questions: Annotated[list[str], Meta(description="Questions it answered.")]
    times: Annotated[int, Meta(description="How often it was given.")]
    authors: Annotated[list[str], Meta(description="The names of the people who gave it.")]
    last_at: Moment
    dismissed_id: Annotated[
        Id | None, Meta(description="The id of its dismissal, to restore it; null: it wasn't dismissed.")
    ]


class PastAnswers(Wire, frozen=True):
    """The past answers of the last 90 days, most frequent first, dismissed ones last."""

    data: list[PastAnswer]


class DismissPastAnswer(Wire, frozen=True):
    """The answer to dismiss."""

    text: Annotated[str, Meta(max_length=20_000, description="Its text, as it was listed.")]


class DismissedPastAnswer(Wire, frozen=True):
    """A dismissed answer."""

    id: Annotated[Id, Meta(description="The id of the dismissal, to restore the answer.")]
    at: Moment


@routes.get(
    "/assistants/{assistant_id}/past-answers",
    "List past answers",
    also=(Scope.MESSAGES_READ,),
    errors=(AssistantNotFoundError,),
)
def list_past_answers(call: Call, assistant_id: int) -> PastAnswers:
    """Those the assistant already knows are left out.

    Add one with `POST /assistants/{assistant_id}/knowledge`, without the personal data.
    """
    with db.read() as session:
        row = assistants.get(session, call.workspace_id, assistant_id)
        found = learning.past_answers_for(session, row, call.now, accounts=call.accounts)
    return PastAnswers(
        data=[
            PastAnswer.of(
                one,
                personal=[part.text for part in one.parts if part.kind],
                questions=list(one.questions),
                authors=list(one.by),
                dismissed_id=one.dismissed or None,
            )
            for one in found
        ]
    )


@routes.post(
    "/assistants/{assistant_id}/past-answers/dismiss",
    "Dismiss a past answer",
    errors=(AssistantNotFoundError, DismissedError),
    examples={"An answer": {"text": "We ship to Norway within four to six days."}},
    fields={DismissedError: "text"},
)
def dismiss_past_answer(call: Call, assistant_id: int, body: DismissPastAnswer) -> DismissedPastAnswer:
    """The answer isn't suggested again, nor are similar ones. Repeating it does nothing."""

    def dismiss(work: UnitOfWork) -> DismissedPastAnswer:
        row = learning.dismiss(work, assistant_id, body.text)
        return DismissedPastAnswer(id=row.id, at=row.created_at)

    return call.write(dismiss)


@routes.delete(
    "/assistants/{assistant_id}/past-answers/dismissed/{dismissed_id}",
    "Restore a past answer",
    errors=(AssistantNotFoundError, NotDismissedError),
)
def restore_past_answer(call: Call, assistant_id: int, dismissed_id: int) -> None:
    """The answer is suggested again."""
    call.write(lambda work: learning.bring_back(work, assistant_id, dismissed_id))
