"""The packages of an installed Lobby: all of the host, and in it the migrations and the addons' zips."""

from setuptools import find_packages, setup

setup(
    package_dir={"host": "host", "host._migrations": "migrations", "host._dist": "dist"},
    packages=[
        *find_packages(include=["host", "host.*"]),
        *("host._migrations", "host._migrations.versions", "host._dist"),
    ],
)
