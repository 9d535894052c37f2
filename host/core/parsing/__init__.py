"""Parsers of texts from outside, with bounds that are checked first."""
