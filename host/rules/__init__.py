"""Rules and campaigns: when an event happens, if the conditions are met, then run the actions.

- :mod:`host.rules.body`: the definition of a rule, validated when it is saved
- :mod:`host.rules.rules`: rules with their order, states and versions
- :mod:`host.rules.evaluation`: evaluates all rules of a workspace for one event, in one write
- :mod:`host.rules.actions`: runs the actions of a rule, by the use cases that people's buttons call
- :mod:`host.rules.log`: the runs of rules, and a preview on last week's messages
- :mod:`host.rules.campaigns`, :mod:`host.rules.people`: replies to comments, and the people who got them
- :mod:`host.rules.models`: the tables

Conditions are those of :mod:`host.automation.conditions`.

The pages are in :mod:`host.rules.pages`, the API routes in :mod:`host.rules.api`.
"""
