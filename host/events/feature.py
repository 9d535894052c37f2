"""The feature *event log*: the events of the desk, and the consumers that read them."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("models",),
    of_desk=("consumers",),
    routes=("api",),
    data="data",
)
