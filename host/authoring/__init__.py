"""Tools for authors of addons: a starter, a trial desk, a check before release."""
