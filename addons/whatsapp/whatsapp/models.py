"""The addon's own table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from host.sdk.db import Id, LongText, UTCDateTime, addon_model_base, host_table

Base = addon_model_base("whatsapp")


class WhatsAppAccount(Base):  # type: ignore[misc, valid-type]
    """The credentials of one phone number, sealed: its token and its app's secret.

    :ivar business_id: the WhatsApp Business Account that owns the number.
    :ivar app_id: the Meta app of the token.
    """

    __tablename__ = "whatsapp_accounts"

    account_id: Mapped[int] = mapped_column(
        Id,
        ForeignKey(host_table("channel_accounts").c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    business_id: Mapped[str] = mapped_column(String(32))
    app_id: Mapped[str] = mapped_column(String(32))
    token: Mapped[str] = mapped_column(LongText)
    app_secret: Mapped[str] = mapped_column(LongText)
    set_at: Mapped[datetime] = mapped_column(UTCDateTime)
