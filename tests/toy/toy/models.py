"""The toy's own table."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from host.sdk.db import Id, LongText, addon_model_base, host_table

Base = addon_model_base("toy")


class ToyAccount(Base):  # type: ignore[misc, valid-type]
    """The secret of one connected toy account, sealed."""

    __tablename__ = "toy_accounts"

    account_id: Mapped[int] = mapped_column(
        Id,
        ForeignKey(host_table("channel_accounts").c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    secret: Mapped[str] = mapped_column(LongText)
