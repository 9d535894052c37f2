"""Signing in and out, accounts, teams, workspaces and the audit journal: all pages of this part."""

from __future__ import annotations

from host.accounts import account_views, admin_views, login_views, team_views
from host.accounts.blueprint import bp

__all__ = ["account_views", "admin_views", "bp", "login_views", "team_views"]
