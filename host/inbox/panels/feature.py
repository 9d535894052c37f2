"""Panels of addons beside conversations and on contacts' pages, and their buttons in the composer."""

from host.features.feature import Feature

FEATURE = Feature(__package__, blueprints=("views:bp",))
