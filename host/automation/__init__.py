"""What the desk says and does by itself, and why it did or did not.

- :mod:`host.automation.deciding`: what to say and to whom a conversation goes; pure, the preview asks it too
- :mod:`host.automation.facts`: what is asked of the database for that
- :mod:`host.automation.settings`: what an account is to do, checked when it is saved
- :mod:`host.automation.texts`: greeting and away message with their variables
- :mod:`host.automation.words`: why something was done, as people read it
- :mod:`host.automation.consuming`: reads the record and writes what there is to do
- :mod:`host.automation.running`: does it, each in one write
- :mod:`host.automation.routing`: gives conversations to teams and people; who is on duty
"""
