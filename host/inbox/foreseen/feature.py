"""Messages that a change of conversations may lead to, said before the change is made."""

from host.features.feature import Feature

FEATURE = Feature(__package__, blueprints=("views:bp",), routes=("api",))
