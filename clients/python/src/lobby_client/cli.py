"""``lobby-client``: the client on the command line."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional
from urllib.parse import urlsplit

from lobby_client import Lobby, LobbyError, __version__
from lobby_client._settings import EARLIER, KEY, URL, of_environment
from lobby_client.errors import APIError
from lobby_client.events import OtherEvent
from lobby_client.listening import Listener, Place

FORGOTTEN = " The desk no longer has this place; --from-now begins anew."


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run a command; return its exit code."""
    given = _parser().parse_args(arguments)
    try:
        return _listen(given)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 0
    except (LobbyError, OSError, ValueError) as problem:
        lost = isinstance(problem, APIError) and problem.code in {"invalid_cursor", "events_gone"}
        print(f"lobby-client: {problem}{FORGOTTEN if lost else ''}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lobby-client")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listen = commands.add_parser(
        "listen",
        help="bring events to a program on this machine, signed like webhooks",
        description=f"Brings events to a program on this machine, signed like the webhooks of the desk. The "
        f"API key is read from {KEY}, the address of the desk from {URL}.",
    )
    listen.add_argument("--forward", required=True, metavar="URL", help="where to post each event")
    listen.add_argument(
        "--url", "--base-url", dest="url", default=of_environment(URL), metavar="URL", help="of the desk"
    )
    listen.add_argument("--place", type=Path, metavar="FILE", help="where to keep the place and the secret")
    listen.add_argument(
        "--events",
        action="append",
        default=[],
        metavar="NAMES",
        help="only these, with commas between; message.* stands for all that begin so",
    )
    listen.add_argument("--from-now", action="store_true", help="leave out what happened meanwhile")
    listen.add_argument(
        "--allow-http", action="store_true", help="send the key over http to another machine than this one"
    )
    return parser


def _listen(given: argparse.Namespace) -> int:
    key = of_environment(KEY)
    if not key or not given.url:
        raise ValueError(
            f"set {KEY} to an API key and {URL} to the address of the desk; earlier versions said to set "
            f"{EARLIER[KEY]} and {EARLIER[URL]}, which still work"
        )
    if urlsplit(given.forward).scheme not in {"http", "https"} or not urlsplit(given.forward).hostname:
        raise ValueError("--forward has to be an address, like http://127.0.0.1:9000/hook")
    events = [name.strip() for names in given.events for name in names.split(",") if name.strip()]
    place = Place.read(given.place or _usual_place(given.url, key, given.forward, events))
    if given.from_now:
        place.after, place.taken, place.waiting = None, [], []
    place.keep()
    with Lobby(given.url, api_key=key, allow_http=given.allow_http, max_retries=0) as client:
        print(f"events go to {given.forward}; the place is kept in {place.path}")
        print(f"signed with {place.secret}", flush=True)
        listener = Listener(
            client,
            given.forward,
            place,
            say=lambda line: print(line, flush=True),
            events=[OtherEvent(name) for name in events],
            continue_others=True,
        )
        listener.run()
    return 0


def _usual_place(url: str, key: str, forward: str, events: Sequence[str]) -> Path:
    """Return this user's state file for these addresses, events and this key, which its name hides."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = hashlib.sha256("\n".join((url.rstrip("/"), key, forward, *sorted(events))).encode()).hexdigest()[
        :16
    ]
    return home / "lobby-client" / f"{name}.json"
