"""Import every view of users, which registers it on the blueprint."""

from __future__ import annotations

from host.users.pages import (
    account_choices,
    account_views,
    admin_views,
    audit_views,
    desk_people_views,
    desk_settings_views,
    find_settings_views,
    general_views,
    login_views,
    provider_views,
    second_factor_views,
    sign_in_settings_views,
    workspace_views,
)
from host.users.pages.blueprint import bp

__all__ = [
    "account_choices",
    "account_views",
    "admin_views",
    "audit_views",
    "bp",
    "desk_people_views",
    "desk_settings_views",
    "find_settings_views",
    "general_views",
    "login_views",
    "provider_views",
    "second_factor_views",
    "sign_in_settings_views",
    "workspace_views",
]
