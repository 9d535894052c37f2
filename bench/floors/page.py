"""``python -m bench.floors.page PORT THREADS``: the floor of a desk at rest.

Flask behind the same server, in as many threads, with one page that says one word.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from flask import Flask

from bench.floors import serving

application = Flask("floor")


@application.get("/login")
def page() -> str:
    return "Sign in"


if __name__ == "__main__":
    serving.run(WSGIMiddleware(cast(Any, application), workers=int(sys.argv[2])), "uvicorn", int(sys.argv[1]))
