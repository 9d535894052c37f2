"""``python -m sandbox.model``: start the stand-in for a model and print one line once it listens."""

from __future__ import annotations

import argparse
import signal
import sys

from sandbox.model.server import ModelServer


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted or terminated."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.model", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9445, help="port; 0 takes a free one")
    chosen = parser.parse_args(arguments)
    try:
        server = ModelServer(chosen.host, chosen.port)
    except OSError as problem:
        print(f"cannot listen on {chosen.host}:{chosen.port}: {problem}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"model listening on {server.url}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
