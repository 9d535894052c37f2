"""Import every view of users, which adds it to the blueprint."""

from __future__ import annotations

from host.users.pages import account_views, admin_views, login_views, team_views
from host.users.pages.blueprint import bp

__all__ = ["account_views", "admin_views", "bp", "login_views", "team_views"]
