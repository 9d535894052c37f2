"""Sequences: what happens after the first answer, as a list of steps.

- :mod:`host.sequences.body`: the definition of a sequence, validated when it is saved
- :mod:`host.sequences.proofs`: what is proved before publishing
- :mod:`host.sequences.claims`: the part of the proof about names, values and starts; pure
- :mod:`host.sequences.answers`: whether a customer's message answers a question; pure
- :mod:`host.sequences.filters`: filters of runs, for numbers and lists
- :mod:`host.sequences.numbers`: how many customers reach each step, and where they leave
- :mod:`host.sequences.sequences`: sequences with their order, states and versions
- :mod:`host.sequences.triggers`: which events start a run, or are answers in one
- :mod:`host.sequences.starts`: begins a run, also for programs
- :mod:`host.sequences.decisions`: where a run goes on, what it says and what it waits for; pure
- :mod:`host.sequences.playing`: plays a sequence without a database, to try it; pure
- :mod:`host.sequences.runner`: does the steps of a run, in one write
- :mod:`host.sequences.waits`: goes on with runs whose wait is over
- :mod:`host.sequences.listing`: versions and runs, in pages
- :mod:`host.sequences.toml_form`: a sequence as TOML, and back
- :mod:`host.sequences.api`: the routes for programs
- :mod:`host.sequences.people`: the customers who are or were in a sequence
- :mod:`host.sequences.template_bodies`: bodies to start from
- :mod:`host.sequences.models`: the tables
"""
