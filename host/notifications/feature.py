"""Notifications for people."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("host.models.notifications",),
    of_desk=("notification_rules", "quiet_hours"),
    blueprints=("views:bp",),
    jobs=(Job("mails", "mail:send_due", 5.0),),
    consumers={"notices": "delivery:consumer"},
    data="data",
)
