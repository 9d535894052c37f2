"""API routes of an account's automation: its greeting, its away message, and the routing of conversations."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from msgspec import Meta, field

from host.api.http.call import Call
from host.api.http.declare import Id, Router, Wire
from host.automation import settings as account_settings
from host.automation.deciding import Sent, Settings
from host.automation.settings import FEWEST_DAYS, MOST_DAYS, RouteError, SilenceError
from host.automation.texts import AutomationTextError
from host.channels.api.accounts import AccountNotFoundError, connected_account, find_account
from host.core import db
from host.core.errors import InvalidError
from host.inbox.errors import AccountDisconnectedError, UnknownChannelError
from host.inbox.teams.errors import TeamNotFoundError
from host.inbox.variables import VariableError
from host.models.channels import ChannelAccount
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope
from host.users.workspaces import SavedMeanwhileError

routes = Router("Rules", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)

LONGEST = 20_000
"""Most characters of a text in a request."""

Text = Annotated[
    str,
    Meta(
        max_length=LONGEST,
        description="Variables in double braces, each with a fallback.",
        examples=['Hello {{contact.first_name || "there"}}!'],
    ),
]
On = Annotated[bool, Meta(description="The text is kept while it is off.")]


class Greeting(Wire, frozen=True):
    """The message sent once to new customers, and to those who were silent for long."""

    on: On
    text: Text = ""
    silence_days: Annotated[
        int,
        Meta(
            ge=FEWEST_DAYS,
            le=MOST_DAYS,
            description="Days without a message after which customers are greeted again.",
        ),
    ] = 30
    after: Annotated[
        list[Literal["message", "story_reply", "tap", "mention"]],
        Meta(
            max_length=len(Sent),
            description="Message types that trigger it. Empty: all except a mention without text.",
        ),
    ] = field(default_factory=list)


class Away(Wire, frozen=True):
    """The message sent once per absence, outside working hours."""

    on: On
    text: Text = ""


class Routing(Wire, frozen=True):
    """The assignment of new conversations."""

    on: bool
    team: Annotated[Id | None, Meta(description="The id of the team, whose hours apply to the account.")] = (
        None
    )
    to_person: Annotated[
        bool,
        Meta(
            description=(
                "Assign it to the team member on duty who has waited longest. Otherwise it waits "
                "with the team."
            )
        ),
    ] = True
    to_last: Annotated[
        bool,
        Meta(description="Assign returning customers to the person who wrote with them last, if on duty."),
    ] = True


class AccountAutomation(Wire, frozen=True):
    """The automation settings of an account."""

    greeting: Greeting
    away: Away
    routing: Routing
    version: Annotated[int, Meta(description="Increases with each change.")]


class UpdateAutomation(Wire, frozen=True):
    """New automation settings of an account, replacing the old ones."""

    greeting: Greeting
    away: Away
    routing: Routing
    version: Annotated[
        Annotated[int, Meta(ge=0, le=2**31)] | None,
        Meta(description="The version you read. If it has changed since, nothing is saved."),
    ] = None


_PLACES = {
    "silenceDays": "greeting.silenceDays",
    "greeting": "greeting.text",
    "away": "away.text",
    "teamId": "routing.team",
}


def _shown(kept: Settings) -> AccountAutomation:
    return AccountAutomation(
        greeting=Greeting(
            on=kept.greets,
            text=kept.greeting,
            silence_days=kept.silence_days,
            after=cast(Any, [str(one) for one in Sent if one in kept.greets_on]),
        ),
        away=Away(on=kept.tells_away, text=kept.away),
        routing=Routing(on=kept.routes, team=kept.team_id, to_person=kept.to_person, to_last=kept.to_last),
        version=kept.version,
    )


@routes.get(
    "/accounts/{account_id}/automation",
    "Get the automation of an account",
    limited=True,
    errors=(AccountNotFoundError,),
)
def get_automation(call: Call, account_id: int | str) -> AccountAutomation:
    """Its greeting, its away message, and the assignment of its new conversations."""
    with db.read() as session:
        row = find_account(session, call, account_id)
        return _shown(account_settings.of_account(session, call.workspace_id, row.id))


@routes.put(
    "/accounts/{account_id}/automation",
    "Set the automation of an account",
    limited=True,
    errors=(
        AccountDisconnectedError,
        AccountNotFoundError,
        AutomationTextError,
        RouteError,
        SavedMeanwhileError,
        SilenceError,
        TeamNotFoundError,
        UnknownChannelError,
        VariableError,
    ),
    examples={
        "A greeting": {
            "greeting": {
                "on": True,
                "text": 'Hello {{contact.first_name || "there"}}, we are with you soon.',
            },
            "away": {"on": False},
            "routing": {"on": False},
        }
    },
    fields={TeamNotFoundError: "routing.team"},
)
def set_automation(call: Call, account_id: int | str, body: UpdateAutomation) -> AccountAutomation:
    """Replaces all settings. Invalid ones are refused with their path: `greeting.text`."""
    return call.write(
        lambda work: _save(work, call, connected_account(work.session, call, account_id), body),
        lambda work, id_: _shown(account_settings.of_account(work.session, work.workspace_id, id_)),
    )


def _save(work: UnitOfWork, call: Call, row: ChannelAccount, body: UpdateAutomation) -> int:
    adapter = call.adapter(row.channel)
    if adapter is None:
        raise UnknownChannelError()
    wanted = Settings(
        account_id=row.id,
        workspace_id=work.workspace_id,
        greets=body.greeting.on,
        greeting=body.greeting.text,
        silence_days=body.greeting.silence_days,
        greets_on=frozenset(Sent(one) for one in body.greeting.after),
        tells_away=body.away.on,
        away=body.away.text,
        routes=body.routing.on,
        team_id=body.routing.team,
        to_person=body.routing.to_person,
        to_last=body.routing.to_last,
    )
    try:
        account_settings.save(work, wanted, limit=adapter.capabilities.text_limit, version=body.version)
    except InvalidError as error:
        error.field = _PLACES.get(error.field or "", error.field)
        raise
    return row.id
