"""The addon's own table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from host.sdk.db import Id, LongText, UTCDateTime, addon_model_base, host_table

Base = addon_model_base("telegram")


class TelegramAccount(Base):  # type: ignore[misc, valid-type]
    """The credentials of one connected bot, sealed: its token, and the secret of its webhook."""

    __tablename__ = "telegram_accounts"

    account_id: Mapped[int] = mapped_column(
        Id,
        ForeignKey(host_table("channel_accounts").c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    token: Mapped[str] = mapped_column(LongText)
    secret: Mapped[str] = mapped_column(LongText)
    token_set_at: Mapped[datetime] = mapped_column(UTCDateTime)
