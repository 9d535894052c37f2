"""Data hooks for the answers stored for repeated requests."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.features.hookspecs import hookimpl
from host.models.api_keys import IdempotentRequest

REQUESTS = cast(sa.Table, IdempotentRequest.__table__)


@hookimpl
def forget_contacts(session: Session, conversations: Collection[int]) -> None:
    """Erase the stored answers about *conversations*; their idempotency keys stay used."""
    for id_ in conversations:
        named = sa.or_(
            REQUESTS.c.answer.like(f'%"conversationId":{id_},%'),
            REQUESTS.c.answer.like(f'%"conversationId":{id_}}}%'),
        )
        session.execute(sa.update(REQUESTS).where(named).values(answer='{"data":[]}'))
