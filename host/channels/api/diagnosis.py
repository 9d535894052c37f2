"""API route to diagnose an account: the checks of its channel and of Lobby, with what to do."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from flask_babel import lazy_gettext as _l
from msgspec import Meta

from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.channels import diagnosis
from host.channels.api.accounts import AccountNotFoundError, find_account
from host.core import db
from host.core.errors import ConflictError
from host.inbox.errors import AccountDisconnectedError
from host.models.channels import AccountState
from host.sdk.cards import Verdict
from host.users.api_keys import Scope

routes = Router("Accounts", write=Scope.SETTINGS_WRITE)

_ORDER = (Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN, Verdict.PASS)


class NoDiagnosisError(ConflictError):
    """The channel of the account has no checks, or isn't active."""

    code = "no_diagnosis"
    default_sentence = _l("The channel of this account has no checks, or is not active.")
    default_next_step = ""


class DiagnosisFinding(Wire, frozen=True):
    """The result of a check."""

    name: Annotated[str, Meta(description="A stable name of the check.", examples=["sign-in"])]
    title: Annotated[str, Meta(description="What was checked, in the language of `Accept-Language`.")]
    verdict: Annotated[
        Literal["pass", "warn", "fail", "unknown"],
        Meta(description="`warn`: it blocks nothing yet; `unknown`: the check could not tell."),
    ]
    evidence: Annotated[str, Meta(description="What was observed; never a credential.")]
    fix: Annotated[str, Meta(description="What to do; empty if it passed.")]
    seen_at: Annotated[Moment | None, Meta(description="When that was observed; null: while the check ran.")]
    old: Annotated[bool, Meta(description="Whether that is too long ago to rely on.")]


class Diagnosis(Wire, frozen=True):
    """The results of all checks of an account."""

    account_id: Id
    at: Moment
    data: list[DiagnosisFinding]


@routes.post(
    "/accounts/{account_id}/diagnosis",
    "Diagnose an account",
    limited=True,
    errors=(AccountNotFoundError, AccountDisconnectedError, NoDiagnosisError),
)
def diagnose_account(call: Call, account_id: int | str) -> Diagnosis:
    """Runs the checks of the page *Diagnose*, some of which ask the provider. It changes nothing.

    What to fix first comes first.
    """
    with db.read() as session:
        row = find_account(session, call, account_id)
    if row.state == AccountState.DISCONNECTED:
        raise AccountDisconnectedError(next_step="")
    card = call.directory.card(row.channel)
    if card is None or card.diagnose is None:
        raise NoDiagnosisError()
    return Diagnosis(
        account_id=row.id,
        at=call.now,
        data=[
            DiagnosisFinding.of(
                one, verdict=cast('Literal["pass", "warn", "fail", "unknown"]', str(one.verdict))
            )
            for one in sorted(diagnosis.diagnose(card, row), key=lambda one: _ORDER.index(one.verdict))
        ],
    )
