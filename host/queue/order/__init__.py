"""The order of a customer's events where one lane alone does not keep it.

Several processes have spools of their own, and one person may have several ids.
"""
