"""Backports of newer versions of Python: lazy imports (PEP 810), and ``copy.replace`` (3.13)."""
