"""Reading conversations without a connection."""

from host.features.feature import Feature

FEATURE = Feature(__package__, blueprints=("views:bp",))
