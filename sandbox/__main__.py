"""``python -m sandbox``: start the stand-in and print one line once it listens."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from sandbox.server import Server


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted or terminated."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9443, help="port; 0 takes a free one")
    parser.add_argument("--ledger", type=Path, help="append every ledger entry to this file")
    parser.add_argument("--public-url", help="address under which others reach the sandbox")
    parser.add_argument("--ca", help="certificate authority file for https callbacks")
    chosen = parser.parse_args(arguments)
    try:
        server = Server(
            chosen.host,
            chosen.port,
            ledger_file=chosen.ledger,
            verify_tls=chosen.ca or True,
        )
    except (OSError, SystemExit) as problem:
        print(f"cannot listen on {chosen.host}:{chosen.port}: {problem}", file=sys.stderr)
        return 1
    if chosen.public_url:
        server.is_reached_at(chosen.public_url.rstrip("/"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"sandbox listening on {server.url}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
