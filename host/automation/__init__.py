"""Automation: automatic messages and assignments, with the reasons for each decision.

- :mod:`host.automation.actions`: actions on a conversation, of macros and rules, and running them
- :mod:`host.automation.action_forms`: actions as rows of a form
- :mod:`host.automation.conditions`: conditions and their evaluator; pure
- :mod:`host.automation.condition_facts`: the data that conditions check, read from the database
- :mod:`host.automation.deciding`: decides what to send and how to route; pure, also used by the preview
- :mod:`host.automation.facts`: the database queries for those decisions
- :mod:`host.automation.settings`: the settings of an account, validated when they are saved
- :mod:`host.automation.texts`: greeting and away message with their variables
- :mod:`host.automation.words`: reasons for decisions, in words
- :mod:`host.automation.consuming`: reads the event log and creates runs
- :mod:`host.automation.running`: does the runs, each in one write
- :mod:`host.automation.routing`: assigns conversations to teams and people on duty
"""
