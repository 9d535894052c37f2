"""Received events and outgoing replies, and the ordered queues (lanes) they wait in."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("host.models.queue",),
    of_desk=("refused_deliveries",),
    sentences="audit",
    jobs=(
        Job("leftovers", "event_search:wipe_leftovers", 1.0),
        Job("refused", "refusals:flush", 2.0),
        Job("forgotten lanes", "lane_waking:wake_forgotten", 5.0),
    ),
    data="data",
)
