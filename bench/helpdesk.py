"""A whole helpdesk on the work of F8: django-helpdesk, one follow-up after another on tickets it has.

It is fetched by pip as the peers of F5 are. Its database is SQLite as Lobby's is: WAL, every commit synced.
It sends no mail: its tickets have nobody's address. Two ways, both on the first core: its API over HTTP on
gunicorn, as an integration calls it, and ``update_ticket`` in a loop, without HTTP, token and permissions.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import Result, WrongAnswerError, closed_loop
from bench.peers import CACHE, fetch_venv
from bench.servers import on_last_core, start, to_first_core
from demo.processes import clean_environment, free_port

NAME, VERSION = "django-helpdesk", "2.6.1"
PACKAGES = (
    f"{NAME}=={VERSION}",
    "django==5.2.19",
    "djangorestframework==3.18.3",
    "gunicorn==27.0.1",
)
PLACE = CACHE / "helpdesk"
THREADS = 16
CONNECTIONS = 8
TICKETS = 2_000
CREATED = 201
READY = "follow-ups are taken"
PROGRAM = """
import json, os, sys, time
import django
from django.conf import settings

SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": os.environ["HELPDESK_FILE"],
    "CONN_MAX_AGE": None,
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
    },
}
DJANGO = ("auth", "contenttypes", "sessions", "messages", "sites", "humanize", "staticfiles", "admin")
MIDDLEWARE = (  # as a new project of Django's has it
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
TEMPLATES = {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    SITE_ID=1,
    STATIC_URL="/static/",
    EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib." + one for one in DJANGO]
    + ["rest_framework", "rest_framework.authtoken", "helpdesk"],
    MIDDLEWARE=MIDDLEWARE,
    TEMPLATES=[TEMPLATES],
    DATABASES={"default": SQLITE},
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"]},
    HELPDESK_TEAMS_MODE_ENABLED=False,
    LOGGING_CONFIG=None,
)
django.setup()

from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.urls import include, path
from helpdesk.models import FollowUp, Queue, Ticket
from helpdesk.update_ticket import update_ticket

urlpatterns = [path("", include("helpdesk.urls", namespace="helpdesk"))]
application = WSGIHandler()


def prepare(tickets):
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("agent", is_staff=True, is_superuser=True)
    queue = Queue.objects.create(title="Bench", slug="bench")
    Ticket.objects.bulk_create(Ticket(title=f"Customer {n}", queue=queue) for n in range(tickets))
    return {"token": Token.objects.create(user=user).key}


def loop(seconds):
    user, tickets, done, before = User.objects.get(), Ticket.objects.count(), 0, FollowUp.objects.count()
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() < began + seconds:
        ticket = Ticket.objects.get(pk=done % tickets + 1)
        text = f"Hi, is the blue mug number {done} still there?"
        update_ticket(user, ticket, title="m", comment=text, public=True)
        done += 1
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert FollowUp.objects.count() == before + done
    return {"rate": done / took, "cpu_us": cpu / done * 1e6}


if __name__ == "__main__":
    print(json.dumps({"prepare": prepare, "loop": loop}[sys.argv[1]](int(sys.argv[2]))))
else:
    print("follow-ups are taken", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Helpdesk:
    """One that is fetched and has its tickets, but does not run.

    :param token: of the person who writes.
    """

    file: Path
    token: str

    def over_http(self, seconds: float) -> Result:
        """Have its API take follow-ups as fast as it answers."""
        port = free_port()
        command = [_python(), "-m", "gunicorn", "-k", "gthread", "-w", "1", "--threads", str(THREADS)]
        command += ["--keep-alive", "30", "--no-control-socket", "--chdir", str(PLACE)]
        command += ["-b", f"127.0.0.1:{port}", "helpdesk_app"]
        program = start(NAME, command, _environment(self.file), READY)
        before = self._followups()
        try:
            with on_last_core():
                result = closed_loop(
                    port, self._requests(), connections=CONNECTIONS, seconds=seconds, status=CREATED
                )
        finally:
            program.stop()
        answered, stored = sum(result.statuses.values()), self._followups() - before
        if answered != stored:
            raise WrongAnswerError(f"{NAME}: {answered} answers of {CREATED}, {stored} follow-ups")
        return result

    def in_a_loop(self, seconds: float) -> dict[str, float]:
        """Return how many follow-ups a second it makes without HTTP, and the processor time of each in µs."""
        return _ask(self.file, "loop", max(1, round(seconds)))

    def _requests(self) -> Iterator[bytes]:
        number = 0
        while True:
            number += 1
            text = f"Hi, is the blue mug number {number} still there?"
            about = {"ticket": number % TICKETS + 1, "user": 1, "title": "m", "comment": text, "public": True}
            body = json.dumps(about).encode()
            head = (
                "POST /api/followups/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Authorization: Token {self.token}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            yield head.encode() + body

    def _followups(self) -> int:
        file = sqlite3.connect(self.file)
        try:
            return int(file.execute("SELECT count(*) FROM helpdesk_followup").fetchone()[0])
        finally:
            file.close()


def prepared(folder: Path) -> Helpdesk:
    """Return one with its files in *folder*.

    :raises SkippedError: if it is not to be had.
    """
    fetch_venv(PLACE, PACKAGES)
    (PLACE / "helpdesk_app.py").write_text(PROGRAM)
    home = folder / "helpdesk"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    file = home / "helpdesk.sqlite3"
    return Helpdesk(file, _ask(file, "prepare", TICKETS)["token"])


def _python() -> str:
    return str(PLACE / "venv" / "bin" / "python")


def _environment(file: Path) -> dict[str, str]:
    return {**clean_environment(), "HELPDESK_FILE": str(file)}


def _ask(file: Path, *arguments: object) -> dict[str, Any]:
    command = [_python(), str(PLACE / "helpdesk_app.py"), *map(str, arguments)]
    with to_first_core():
        process = subprocess.Popen(command, env=_environment(file), stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{NAME} ended with {process.returncode}")
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found
