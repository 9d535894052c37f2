"""Loading with wrk where it is installed: the same requests, the same checks, less of the load's own time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence

from bench.load import RanOutError, Result, WrongAnswerError

SCRIPT = r"""
local file, requests = io.open(os.getenv("BENCH_REQUESTS"), "rb"), {}
local first, last = tonumber(os.getenv("BENCH_FIRST")), tonumber(os.getenv("BENCH_LAST"))
local number = 0
while number < last do
  local head = file:read(8)
  if not head then break end
  number = number + 1
  local request = file:read(tonumber(head))
  if number > first then requests[#requests + 1] = request end
end
file:close()
local at, count = 0, #requests
request = function() at = at + 1; return requests[(at - 1) % count + 1] end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("BENCH %d %d %d %d\n", summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
  io.write("LATENCY")
  for step = 0, 999 do io.write(" ", latency:percentile(step / 10 + 0.05)) end
  io.write("\n")
end
"""
STEPS = 1000


def path() -> str | None:
    """Return where wrk is, or None; ``BENCH_WRK=0`` does without."""
    return None if os.environ.get("BENCH_WRK") == "0" else shutil.which("wrk")


def name() -> str:
    """Return what the load comes from, for the head of the table."""
    found = path()
    if found is None:
        return "bench/load.py (wrk is not installed)"
    said = subprocess.run([found, "-v"], check=False, capture_output=True, text=True).stdout.split()
    return " ".join(said[:2]) or "wrk"


def closed_loop(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float, warm_up: float = 1.0
) -> Result:
    """Keep *connections* busy for *seconds* after a warm-up with other requests; each is sent once.

    wrk drops what is under way when its time is over: up to *connections* requests may be stored unanswered.

    :raises RanOutError: if there are too few *requests*; wrk has then sent some of them twice.
    """
    with tempfile.NamedTemporaryFile(prefix="lobby-bench-") as file, tempfile.NamedTemporaryFile("w") as lua:
        for request in requests:
            file.write(b"%08d" % len(request) + request)
        file.flush()
        lua.write(SCRIPT)
        lua.flush()
        split = int(len(requests) * warm_up / (warm_up + seconds) / 2)
        before = _run(port, file.name, lua.name, 0, split, connections, warm_up)
        try:
            result = _run(port, file.name, lua.name, split, len(requests), connections, seconds)
        except RanOutError as error:
            raise RanOutError(error.statuses + before.statuses) from error
    result.statuses += before.statuses
    return result


def _run(
    port: int, file: str, script: str, first: int, last: int, connections: int, seconds: float
) -> Result:
    command = [path() or "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", script]
    settings = {**os.environ, "BENCH_REQUESTS": file, "BENCH_FIRST": str(first), "BENCH_LAST": str(last)}
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"], check=True, capture_output=True, text=True, env=settings
    )
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.split()}
    answered, microseconds, refused, broken = map(int, lines["BENCH"])
    if refused or broken or not answered:
        raise WrongAnswerError(f"wrk: {answered} answers, {refused} of them wrong, {broken} broken off")
    if answered + connections > last - first:
        raise RanOutError(Counter({200: min(answered, last - first)}))
    steps = [float(one) / 1e6 for one in lines["LATENCY"]]
    latencies = [steps[number * STEPS // answered] for number in range(answered)]
    return Result(microseconds / 1e6, latencies, Counter({200: answered}))
