"""The addon's own table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from host.sdk.db import Ascii64, Id, UTCDateTime, addon_model_base, host_table

Base = addon_model_base("shop")


class ShopOrder(Base):  # type: ignore[misc, valid-type]
    """The state of an order that a webhook told, for conditions of rules. It names nobody."""

    __tablename__ = "shop_orders"
    __table_args__ = (Index("ix_shop_orders_email_hash", "email_hash", "workspace_id"), Base.__table_args__)

    workspace_id: Mapped[int] = mapped_column(
        Id,
        ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    order_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    email_hash: Mapped[str] = mapped_column(Ascii64)
    """SHA-256 of the customer's address."""
    is_open: Mapped[bool]
    is_paid: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Time of the change at the shop; an older webhook changes nothing."""
