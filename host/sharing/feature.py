"""Sharing to Lobby from other apps of a phone."""

from host.features.feature import Feature

FEATURE = Feature(__package__, blueprints=("views:bp",))
