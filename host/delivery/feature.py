"""Applying received events, sending replies, and asking providers."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    blueprints=("pages.event_views:bp",),
    sentences="audit",
    jobs=(
        Job("profiles", "profiles:fetch", 1.0),
        Job("message acts", "message_acts:send_due", 0.5),
        Job("look-ups", "posts:look_up_due", 1.0),
        Job("posts", "posts:fetch_due", 1.0),
        Job("history", "history:catch_up", 0.5),
        Job("second looks", "second_look:look", 0.5),
        Job("queues", "waiting:look_after", 1.0),
        Job("housekeeping", "housekeeping:clean_up", 600.0),
        Job("deleted workspaces", "workspace_removal:remove_due", 15.0),
        Job("due replies", "watching:watch", 30.0),
    ),
    commands={"record": "host.cli.desk:record"},
    data="data",
)
