"""Features: the parts of the desk, each declared in one place, the ``feature.py`` in its folder.

- :mod:`host.features.feature`: a declaration. Its parts are named by strings, so reading it imports nothing.
- :mod:`host.features.registry`: the declarations of this process, and their parts.

The list of features is in :mod:`host.process.features`.
"""
