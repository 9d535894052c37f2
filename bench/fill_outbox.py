"""``python -m bench.fill_outbox DATA CUSTOMERS EACH IDS``: let accounts have replies that wait to be sent.

*IDS* are the Instagram accounts, separated by commas; each gets *CUSTOMERS* who have just written, and *EACH*
numbered replies to every one of them.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench.payload import SECRET
from bench.prepare import addon_module
from host import counters
from host.channels.accounts import save_account
from host.core import clock, config, db, secrets
from host.inbox.apply.changes import Incoming, apply_changes
from host.models.channels import ref
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Direction, Message, Origin
from host.process.serving import HostApplication
from host.queue import outbox
from host.sdk.cards import Connection
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageReceived
from host.sdk.secrets import Secret
from host.users import workspaces


def main() -> None:
    data, customers, each, ids = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(",")
    settings = config.load({"LOBBY_DATA": data, "LOBBY_WORKERS": "0"})
    secrets.use(secrets.load_keyring(settings))
    db.connect(settings.database_url)
    counters.reset()
    fill(HostApplication(settings), customers, each, ids)


def fill(desk: HostApplication, customers: int, each: int, ids: Sequence[str]) -> None:
    """Connect the accounts *ids* and let *each* replies to each of their *customers* wait."""
    adapter = desk.generation().directory.adapter("instagram")
    assert adapter is not None
    workspace = db.write(lambda session: workspaces.create(session, "Sending", None).id)
    for ig_user_id in ids:
        account = db.write(connect, workspace, ig_user_id)
        now = clock.now()
        wrote = [
            Incoming(
                account,
                adapter,
                MessageReceived(f"{n:016}", f"in-{ig_user_id}-{n}", now, text="hi"),
                now,
                str(n),
            )
            for n in range(1, customers + 1)
        ]
        for start in range(0, customers, 500):
            db.write(apply_changes, wrote[start : start + 500])
        for number in range(1, each + 1):
            db.write(reply_to_all, account.id, number)


def connect(session: Session, workspace: int, ig_user_id: str) -> AccountRef:
    """Write an account of Instagram Login, as if Meta had agreed to it."""
    accounts, settings = addon_module("accounts"), addon_module("config")
    details = accounts.Details(
        page_id="",
        page_name="",
        ig_user_id=ig_user_id,
        ig_username=f"bench{ig_user_id}",
        app_id=ig_user_id,
        token=Secret("a token the provider takes"),
        app_secret=Secret(SECRET),
        token_expires_at=None,
        scopes=(),
        subscribed_fields=(),
        flavour=settings.Flavour.LOGIN,
    )
    connection = Connection(
        external_id=ig_user_id,
        name=ig_user_id,
        handle=f"@bench{ig_user_id}",
        way="pasted",
        store=lambda writing, account: accounts.store(writing, account, details),
    )
    return ref(save_account(session, workspace_id=workspace, channel="instagram", connection=connection))


def reply_to_all(session: Session, account_id: int, number: int) -> None:
    """Write one more reply to every customer of an account."""
    now = clock.now()
    talks = session.execute(
        sa.select(Conversation, ContactIdentity.external_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.account_id == account_id)
        .order_by(Conversation.id)
    ).all()
    for talk, contact in talks:
        message = Message(
            workspace_id=talk.workspace_id,
            conversation_id=talk.id,
            account_id=account_id,
            direction=Direction.OUTBOUND,
            origin=Origin.AGENT,
            kind="text",
            text=f"{contact} {number}",
            content={},
            reply_key=uuid.uuid4().hex,
            position=0,
            state=DeliveryState.QUEUED,
            sent_at=now,
            created_at=now,
        )
        session.add(message)
        session.flush()
        outbox.take_lane(session, account_id, contact)
        outbox.enqueue(session, message, contact)


if __name__ == "__main__":
    main()
