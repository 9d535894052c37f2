"""Routes for a workspace's assistants: their settings, their accounts and their figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api.http import fields
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.derived import answer_of, request_of
from host.api.http.errors import BodyError, PersonRequiredError
from host.assistants import assistants, figures
from host.assistants.assistants import (
    AccountMode,
    AccountNotThereError,
    AssistantError,
    AssistantNotFoundError,
    AssistantSummary,
    NotEarnedError,
    OtherNameError,
)
from host.assistants.figures import Spent, TurnCounts
from host.assistants.models import Assistant as Row
from host.assistants.models import LanguageModel as ModelRow
from host.assistants.models import Mode
from host.assistants.program_tools import BUILT_IN
from host.assistants.values import CAPS, Body, Cap, Limits
from host.automation.deciding import GREETED, Sent
from host.channels.api.accounts import AccountNotFoundError, find_account
from host.core import db
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope
from host.users.workspaces import SavedMeanwhileError

routes = Router("Assistants", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)

Name = Annotated[str, Meta(max_length=300, description="At most 40 characters.", examples=["Shop desk"])]
ModeName = Annotated[
    Literal["off", "shadow", "suggest", "answer"],
    Meta(
        description=(
            "`shadow`: its answers are hidden and compared with people's answers. `suggest`: people "
            "see them. `answer`: it answers automatically."
        )
    ),
]
SentName = Literal["message", "story_reply", "tap", "mention"]
Version = Annotated[int, Meta(ge=0, le=2**31)]
Most = Annotated[int, Meta(ge=0, le=assistants.LARGEST, description="0: no limit.")]


class AssistantCap(Wire, frozen=True):
    """Limits for a conversation, a day or a month."""

    turns: Most = 0
    tokens: Most = 0
    money: Annotated[Most, Meta(description="In millionths of the model's currency; 0: no limit.")] = 0


class AssistantLimits(Wire, frozen=True):
    """Usage limits of an assistant. Days and months follow the workspace's time zone."""

    conversation: Annotated[AssistantCap, Meta(description="Until a conversation is closed.")]
    day: Annotated[AssistantCap, Meta(description="Of all assistants of the workspace.")]
    month: Annotated[AssistantCap, Meta(description="Of all assistants of the workspace.")]
    seconds: Annotated[int, Meta(description="Time limit for one answer in seconds, 5 to 60.")]
    calls: Annotated[int, Meta(description="Maximum tool calls for one answer, 0 to 10.")]


class AssistantLimitsInput(Wire, frozen=True):
    """Usage limits of an assistant. Omitted fields get their defaults."""

    conversation: Annotated[AssistantCap, Meta(description="Default: 6 answers.")] | UnsetType = UNSET
    day: Annotated[AssistantCap, Meta(description="Default: 1,000 answers.")] | UnsetType = UNSET
    month: Annotated[AssistantCap, Meta(description="Default: no limit.")] | UnsetType = UNSET
    seconds: Annotated[int, Meta(description="Time limit for one answer in seconds, 5 to 60.")] = (
        Limits().seconds
    )
    calls: Annotated[int, Meta(description="Maximum tool calls for one answer, 0 to 10.")] = Limits().calls


ON_THE_WIRE = {"builtin": "tools"}
"""Names of fields of a version for programs, where they differ."""
if TYPE_CHECKING:
    AssistantBody = Wire
    AssistantBodyInput = Any
else:
    AssistantBody = answer_of(Body, "AssistantBody", names=ON_THE_WIRE, limits=AssistantLimits)
    AssistantBodyInput = request_of(
        Body,
        "AssistantBodyInput",
        "The content to save as a version. Omitted fields get their defaults.",
        names=ON_THE_WIRE,
        limits=AssistantLimitsInput,
    )


class AssistantPlace(Wire, frozen=True):
    """The mode of an assistant on an account."""

    account_id: Id
    channel: str
    name: Annotated[str, Meta(description="The account's name, as it must be typed.")]
    mode: ModeName
    answers_on: Annotated[list[SentName], Meta(description="Message types it answers.")]
    needed: Annotated[int, Meta(description="Suggestions that must be accepted before it can answer.")]
    earned: Annotated[
        int,
        Meta(
            description="Suggestions accepted unchanged or rated right. Those sent by programs don't count."
        ),
    ]
    opened_by: Annotated[
        str | None,
        Meta(description="Who allowed it to answer before enough suggestions were accepted; null: nobody."),
    ]
    changed_at: Moment


class Assistant(Wire, frozen=True):
    """An assistant that answers customers from its knowledge."""

    id: Id
    name: Name
    version: Annotated[int, Meta(description="Increases with each change of `body`.")]
    changed_at: Moment
    stopped_at: Annotated[Moment | None, Meta(description="Null: it is not stopped.")]
    model_id: Annotated[Id | None, Meta(description="Null: it uses no model and offers topics.")]
    body: Annotated[AssistantBody | None, Meta(description="Null: created by a newer version of Lobby.")]
    accounts: Annotated[list[AssistantPlace], Meta(description="The accounts where it is not off.")]


class Assistants(Wire, frozen=True):
    """The assistants of the workspace, oldest first."""

    data: list[Assistant]


class CreateAssistant(Wire, frozen=True):
    """An assistant to create."""

    name: Name


class ReplaceAssistant(Wire, frozen=True):
    """The complete content of an assistant."""

    name: Name
    body: AssistantBodyInput
    version: Annotated[
        Version | None,
        Meta(description="The version you read. If the assistant has changed since, nothing is saved."),
    ] = None


class UpdateAssistant(Wire, frozen=True):
    """Fields to change; omitted fields keep their values."""

    stopped: Annotated[
        bool | UnsetType,
        Meta(
            description=(
                "True: stop it immediately on all accounts; people take over its conversations. "
                "False: resume it."
            )
        ),
    ] = UNSET
    model_id: Annotated[Id | UnsetType | None, Meta(description="Null: no model.")] = UNSET


class AssistantVersion(Wire, frozen=True):
    """A current or earlier version of an assistant."""

    version: int
    author: Annotated[str, Meta(description="A member, or the name of an API key.")]
    at: Moment
    body: Annotated[AssistantBody | None, Meta(description="Null: created by a newer version of Lobby.")]


class AssistantVersions(Wire, frozen=True):
    """Versions of an assistant, newest first; the last 50."""

    data: list[AssistantVersion]


class AssistantMode(Wire, frozen=True):
    """The mode to set on an account."""

    mode: ModeName
    answers_on: (
        Annotated[
            list[SentName],
            Meta(max_length=10, description="Omitted: unchanged; initially message, story_reply and tap."),
        ]
        | UnsetType
    ) = UNSET
    needed: Annotated[int | UnsetType, Meta(description="10 to 1,000. Omitted: unchanged; initially 50.")] = (
        UNSET
    )
    typed_name: Annotated[
        Annotated[str, Meta(max_length=300)] | None,
        Meta(
            description=(
                "For `answer` before enough suggestions were accepted: the name of the account, to "
                "confirm. The audit log records the key."
            )
        ),
    ] = None


class AssistantCounts(Wire, frozen=True):
    """Number of turns by outcome."""

    suggested: Annotated[int, Meta(description="Shown to people.")]
    taken: Annotated[int, Meta(description="Sent unchanged by people.")]
    edited: int
    written: Annotated[int, Meta(description="A person wrote something else.")]
    dismissed: int
    used: Annotated[int, Meta(description="Sent unchanged by programs.")]
    answered: Annotated[int, Meta(description="Sent automatically.")]
    shadow: Annotated[int, Meta(description="In shadow mode.")]
    handed_over: int
    failed: int
    right: Annotated[int, Meta(description="Rated right by a person.")]
    wrong: int
    tokens: int
    cost: Annotated[int, Meta(description="In millionths of the model's currency.")]


class AssistantDay(Wire, frozen=True):
    """A day, in the workspace's time zone."""

    day: date
    counts: AssistantCounts


class AssistantSpent(Wire, frozen=True):
    """Usage counted against limits."""

    turns: int
    tokens: int
    money: Annotated[int, Meta(description="In millionths of the model's currency.")]


class AssistantFigures(Wire, frozen=True):
    """Figures of an assistant, and the usage of the whole workspace."""

    days: Annotated[list[AssistantDay], Meta(description="Oldest first; today is last.")]
    today: Annotated[AssistantSpent, Meta(description="Of all assistants of the workspace.")]
    month: Annotated[AssistantSpent, Meta(description="Of all assistants of the workspace.")]


class FiguresQuery(Wire, frozen=True):
    """How many days back to look."""

    days: Annotated[int, Meta(ge=1, le=figures.DAYS, description="Number of days, including today.")] = (
        figures.DAYS
    )


class LanguageModel(Wire, frozen=True):
    """A language model that assistants can use. Its address and key are only on the desk's pages."""

    id: Id
    name: str
    model: Annotated[str, Meta(description="The provider's name for it.")]
    currency: str


class LanguageModels(Wire, frozen=True):
    """The language models of the workspace, oldest first."""

    data: list[LanguageModel]


ERRORS = (BodyError, AssistantError, AssistantNotFoundError)
EXAMPLE: dict[str, Any] = {
    "name": "Shop desk",
    "body": {
        "prompt": "Be brief and warm.",
        "phrases": ["You are welcome!"],
        "limits": {"day": {"turns": 200}},
    },
}
_OF_LIMITS = ("conversation", "day", "month", "seconds", "calls")
_OF_CALL = {"typed_name": "typedName", "model": "modelId", "mode": "mode", "needed": "needed", "name": "name"}


def _changed(call: Call, use_case: Callable[[UnitOfWork], int]) -> Assistant:
    """Change an assistant by *use_case*, which returns its id, and return it.

    The invalid field of an error is named as in the API.
    """
    try:
        return call.write(use_case, lambda work, id_: _one(work.session, call, id_))
    except AssistantError as error:
        field = error.field or ""
        if field in _OF_CALL:
            error.field = _OF_CALL[field]
        elif field:
            inside = field.partition(".")[0] in _OF_LIMITS
            error.field = f"body.limits.{field}" if inside else f"body.{field}"
        raise


def _cap(given: AssistantCap | UnsetType, at_first: Cap) -> Cap:
    return at_first if given is UNSET else Cap(given.turns, given.tokens, given.money)


def _body(given: AssistantBodyInput, call: Call, before: Body | None) -> Body:
    limits, at_first = given.limits, Limits()
    known = {
        *BUILT_IN,
        *(one.name for one in call.directory.tools.values()),
        *(before.builtin if before else ()),
    }
    if not set(given.tools) <= known:
        raise AssistantError(_l("This tool doesn't exist, so nothing was saved."), field="tools")
    caps = {name: _cap(getattr(limits, name), getattr(at_first, name)) for name in CAPS}
    kept = Limits(**caps, seconds=limits.seconds, calls=limits.calls)
    wanted: Body = given.make(Body, limits=kept, builtin=tuple(dict.fromkeys(given.tools)))
    return wanted


def _shown_body(one: Body | None) -> AssistantBody | None:
    if one is None:
        return None
    caps = {name: AssistantCap.of(getattr(one.limits, name)) for name in CAPS}
    return AssistantBody.of(one, limits=AssistantLimits.of(one.limits, **caps), tools=one.builtin)


def _place(one: AccountMode, earned: Mapping[int, int]) -> AssistantPlace:
    return AssistantPlace.of(
        one,
        name=one.account,
        mode=cast(Any, str(one.mode)),
        answers_on=cast(Any, sorted(map(str, one.answers_on))),
        earned=earned.get(one.account_id, 0),
        opened_by=one.opened_by or None,
    )


def _shown(session: Session, one: AssistantSummary) -> Assistant:
    earned = assistants.earned(session, one.id, [place.account_id for place in one.places])
    return Assistant.of(
        one,
        body=_shown_body(assistants.body_of(session, session.get_one(Row, one.id))),
        accounts=[_place(place, earned) for place in one.places],
    )


def _one(session: Session, call: Call, assistant_id: int) -> Assistant:
    found = [one for one in assistants.listing(session, call.workspace_id) if one.id == assistant_id]
    if not found:
        raise AssistantNotFoundError(next_step="")
    return _shown(session, found[0])


@routes.get("/assistants", "List assistants")
def list_assistants(call: Call) -> Assistants:
    """All of them, at most 20, with the accounts where they are not off."""
    with db.read() as session:
        found = assistants.listing(session, call.workspace_id)
        return Assistants(data=[_shown(session, one) for one in found])


@routes.post(
    "/assistants",
    "Add an assistant",
    location="/assistants/{id}",
    errors=(AssistantError,),
    examples={"By name": {"name": "Shop desk"}},
)
def create_assistant(call: Call, body: CreateAssistant) -> Assistant:
    """The new assistant is on no account, knows nothing and sends nothing."""
    return _changed(call, lambda work: assistants.create(work, name=body.name).id)


@routes.get("/assistants/{assistant_id}", "Get an assistant", errors=(AssistantNotFoundError,))
def get_assistant(call: Call, assistant_id: int) -> Assistant:
    """Includes its content, and its mode on each account."""
    with db.read() as session:
        return _one(session, call, assistant_id)


@routes.put(
    "/assistants/{assistant_id}",
    "Replace the content of an assistant",
    errors=(*ERRORS, SavedMeanwhileError),
    examples={"Only if the version is still current": {**EXAMPLE, "version": 1}},
)
def replace_assistant(call: Call, assistant_id: int, body: ReplaceAssistant) -> Assistant:
    """Replaces its name, prompt, limits and built-in tools. The earlier content is kept as a version."""

    def replace(work: UnitOfWork) -> int:
        row = assistants.get(work.session, work.workspace_id, assistant_id, lock=True)
        wanted = _body(body.body, call, assistants.body_of(work.session, row))
        return assistants.save_version(
            work, assistant_id, body=wanted, version=body.version, name=body.name
        ).id

    return _changed(call, replace)


@routes.patch(
    "/assistants/{assistant_id}",
    "Stop an assistant, or change its model",
    errors=(*ERRORS, PersonRequiredError),
    examples={"Stop immediately": {"stopped": True}, "No model": {"modelId": None}},
)
def change_assistant(call: Call, assistant_id: int, body: UpdateAssistant) -> Assistant:
    """Stopping also discards every turn that is waiting, being answered or ready, in the same write.

    Only a person can let a stopped assistant go on that answers on an account (`person_required`).
    """

    def change(work: UnitOfWork) -> int:
        if body.stopped is False and not call.caller.before:
            _check_stays_silent(work.session, call, assistant_id)
        return assistants.change(work, assistant_id, **fields.given(body)).id

    return _changed(call, change)


def _check_stays_silent(session: Session, call: Call, assistant_id: int) -> None:
    """Refuse to let a stopped assistant go on if it would then answer by itself.

    :raises PersonRequiredError: if it would.
    """
    row = assistants.get(session, call.workspace_id, assistant_id)
    modes = assistants.places(session, call.workspace_id).values()
    if row.stopped_at is not None and any(
        one.assistant_id == row.id and one.mode == Mode.ANSWER for one in modes
    ):
        raise PersonRequiredError()


@routes.delete(
    "/assistants/{assistant_id}", "Delete an assistant", errors=(AssistantError, AssistantNotFoundError)
)
def delete_assistant(call: Call, assistant_id: int) -> None:
    """Deletes its knowledge too. Messages it sent stay, and people take over its conversations."""
    call.write(lambda work: assistants.delete(work, assistant_id))


@routes.get(
    "/assistants/{assistant_id}/versions",
    "List the versions of an assistant",
    errors=(AssistantNotFoundError,),
)
def list_assistant_versions(call: Call, assistant_id: int) -> AssistantVersions:
    """To restore one, replace the current body with its body."""
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
        found = assistants.versions(session, assistant_id)
        return AssistantVersions(
            data=[
                AssistantVersion(
                    version=one.number,
                    author=one.author,
                    at=one.at,
                    body=_shown_body(assistants.read(one.body)),
                )
                for one in found
            ]
        )


@routes.put(
    "/assistants/{assistant_id}/accounts/{account_id}",
    "Set the mode of an assistant on an account",
    errors=(
        *ERRORS,
        AccountNotFoundError,
        AccountNotThereError,
        NotEarnedError,
        OtherNameError,
        PersonRequiredError,
    ),
    examples={"Suggest": {"mode": "suggest"}, "In shadow": {"mode": "shadow", "needed": 100}},
    fields={NotEarnedError: "mode", OtherNameError: "typedName"},
)
def set_assistant_mode(
    call: Call, assistant_id: int, account_id: int | str, body: AssistantMode
) -> Assistant:
    """An account has one assistant: setting a mode takes the account from another assistant.

    Letting an assistant answer by itself needs a person, who does it on the page (`person_required`). A key
    can take that back with any other mode, and change `answersOn` and `needed`.

    A key from before scopes can still set `answer`. That requires `earned` to reach `needed`; before, it
    requires the name of the account in `typedName`. The audit log records which key allowed it.
    """

    def set_mode(work: UnitOfWork) -> int:
        row = assistants.get(work.session, call.workspace_id, assistant_id)
        account = find_account(work.session, call, account_id)
        place = assistants.places(work.session, call.workspace_id).get(account.id)
        mine = place if place is not None and place.assistant_id == row.id else None
        answers = mine is not None and mine.mode == Mode.ANSWER
        if body.mode == "answer" and not answers and not call.caller.before:
            raise PersonRequiredError()
        as_it_is = (GREETED, assistants.USUALLY_NEEDED) if mine is None else (mine.answers_on, mine.needed)
        assistants.set_mode(
            work,
            assistant_id,
            account.id,
            mode=body.mode,
            answers_on=as_it_is[0] if body.answers_on is UNSET else [Sent(one) for one in body.answers_on],
            needed=as_it_is[1] if body.needed is UNSET else body.needed,
            typed_name=body.typed_name,
        )
        return assistant_id

    return _changed(call, set_mode)


@routes.get(
    "/assistants/{assistant_id}/figures", "Get the figures of an assistant", errors=(AssistantNotFoundError,)
)
def get_assistant_figures(call: Call, assistant_id: int, query: FiguresQuery) -> AssistantFigures:
    """By the day on which a turn began, with the usage of the day's and month's limits."""
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
        zone = figures.zone_of(session, call.workspace_id)
        days = figures.by_day(session, assistant_id, call.now, zone, count=query.days)
        used = figures.use(session, call.workspace_id, call.now, zone)
    return AssistantFigures(
        days=[AssistantDay(day=day, counts=_counts(one)) for day, one in days],
        today=_spent(used.today),
        month=_spent(used.month),
    )


def _counts(one: TurnCounts) -> AssistantCounts:
    return AssistantCounts(**{name: getattr(one, name) for name in AssistantCounts.__struct_fields__})


def _spent(one: Spent) -> AssistantSpent:
    return AssistantSpent.of(one)


@routes.get("/language-models", "List language models")
def list_language_models(call: Call) -> LanguageModels:
    """Models that an assistant can use. They are set up on the desk's pages."""
    query = sa.select(ModelRow).where(ModelRow.workspace_id == call.workspace_id).order_by(ModelRow.id)
    with db.read() as session:
        return LanguageModels(data=[LanguageModel.of(one) for one in session.scalars(query)])
