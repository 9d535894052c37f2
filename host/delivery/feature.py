"""Applying received events, sending replies, and asking providers."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    blueprints=("pages.event_views:bp",),
    sentences="audit",
    jobs=(
        Job("profiles", "profiles:fetch", 1.0, "profiles:due"),
        Job("message acts", "message_acts:send_due", 0.5, "message_acts:due"),
        Job("look-ups", "posts:look_up_due", 1.0, "posts:due_look_ups"),
        Job("posts", "posts:fetch_due", 1.0, "posts:due"),
        Job("history", "history:catch_up", 0.5, "history:due"),
        Job("outages", "history:note_running", 15.0),
        Job("second looks", "second_look:look", 0.5, "second_look:due"),
        Job("new accounts", "second_look:begin_new", 15.0),
        Job("probes", "held_lanes:wake_probes", 1.0, "held_lanes:due_probes"),
        Job("queues", "held_lanes:look_after_limited", 1.0),
        Job("housekeeping", "housekeeping:clean_up", 600.0),
        Job("deleted workspaces", "workspace_removal:remove_due", 15.0),
        Job("due replies", "deadlines:watch", 30.0),
    ),
    commands={"record": "host.cli.desk:record"},
    data="data",
)
