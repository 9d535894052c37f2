"""How a workspace owner connects a toy account."""

from __future__ import annotations

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from host.sdk.cards import CardStatus, Connection, ConnectRequest, Field, Link, Problems, SettingsCard
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret, seal

from .models import ToyAccount
from .webhook import place


def connect(request: ConnectRequest) -> Connection | Problems:
    """Accept any account whose secret has eight characters."""
    handle = request.values["handle"]
    secret = request.values.get("secret", "")
    if len(secret) < 8:
        return Problems({"secret": "The secret must have eight characters or more."})
    taken = request.taken(handle)
    if taken:
        return Problems({"handle": taken})

    def store(session: Session, account: AccountRef) -> None:
        sealed = seal(Secret(secret), place(account.workspace_id, account.uuid))
        session.execute(delete(ToyAccount).where(ToyAccount.account_id == account.id))
        session.execute(insert(ToyAccount).values(account_id=account.id, secret=sealed))

    return Connection(external_id=handle, name=handle.title(), handle=handle, way="pasted", store=store)


card = SettingsCard(
    channel="toy",
    summary="Messages of the toy provider.",
    fields=(Field("handle", "Handle"), Field("secret", "Secret", secret=True)),
    connect=connect,
    status=lambda account: CardStatus(
        facts=(("Handle", account.handle),),
        values={"handle": account.handle},
        links=(Link("Its page", f"https://toy.example/{account.handle}"),),
    ),
    disconnect=lambda account: None,
)
