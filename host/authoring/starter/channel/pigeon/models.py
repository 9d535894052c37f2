"""The addon's own table."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from host.sdk.db import Id, LongText, addon_model_base, host_table

Base = addon_model_base("pigeon")


class PigeonAccount(Base):  # type: ignore[misc, valid-type]
    """The token of one connected account, sealed."""

    __tablename__ = "pigeon_accounts"

    account_id: Mapped[int] = mapped_column(
        Id,
        ForeignKey(host_table("channel_accounts").c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    token: Mapped[str] = mapped_column(LongText)
