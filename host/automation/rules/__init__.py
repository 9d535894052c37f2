"""Rules: when something happens, if it is so, then something is done.

- :mod:`host.automation.rules.conditions`: what is asked, and the one evaluator; pure
- :mod:`host.automation.rules.body`: what a rule says, checked when it is saved
- :mod:`host.automation.rules.keeping`: rules with their order, states and versions
- :mod:`host.automation.rules.facts`: what the conditions see, read from the database
- :mod:`host.automation.rules.passing`: all rules of a workspace asked about one event, in one write
- :mod:`host.automation.rules.doing`: what a rule does, each by the use case people's presses call
- :mod:`host.automation.rules.log`: what rules did, and what they would have done to the last week
"""
