"""Contacts: what a team keeps about its customers, merging two, blocking one, and what programs may send."""
