"""Bodies of events for programs, built from the event log for webhooks and the API."""
