"""Taking in: how fast, how soon answered, what sharing commits gains, and how soon it is on screens."""

from __future__ import annotations

from pathlib import Path

from bench import live, pace
from bench.load import open_loop
from bench.payload import deliveries, endless
from bench.plan import Figure, Plan, SkippedError, medians
from bench.saturation import saturate
from bench.servers import THIS, build_shim, floor, has_granian, on_last_core, product


def f1(plan: Plan) -> list[Figure]:
    """Measure ingest against its floor, on both servers, with deliveries applied meanwhile and without.

    What the product adds to a server is the same code on both, so the targets are the same.
    """
    figures = []
    for server in ("uvicorn", "granian"):
        if server == "granian" and not has_granian(THIS):
            plan.skip("F1 granian", "granian is not installed")
            continue
        shipped, path, rates = [], [], []
        for _ in range(plan.rounds):
            least = saturate(floor(plan.folder, server=server), plan.seconds)
            alone = saturate(product(plan.desk, plan.folder, server=server, workers=0), plan.seconds)
            whole = saturate(product(plan.desk, plan.folder, server=server), plan.seconds)
            path.append(alone.rate / least.rate)
            shipped.append(whole.rate / least.rate)
            rates.append((least.rate, alone.rate, whole.rate))
        low, mid, all_ = medians(rates)
        figures.append(
            Figure(
                f"F1 {server}",
                "ingest, fast path ÷ floor",
                tuple(path),
                0.65,
                True,
                f"{mid:,.0f}/s of {low:,.0f}/s",
                {"per_second": mid, "floor_per_second": low},
            )
        )
        figures.append(
            Figure(
                f"F1 {server}, delivering",
                "the same while the deliveries are applied to the inbox in the same process ÷ floor",
                tuple(shipped),
                0.50,
                True,
                f"{all_:,.0f}/s of {low:,.0f}/s",
                {"per_second": all_, "floor_per_second": low},
            )
        )
    return figures


def f2(plan: Plan) -> list[Figure]:
    """Measure the tail of the answer at a steady rate against a route of the same app that does nothing.

    That route is a page of Flask's, in a thread; the webhook is answered on the event loop. So the ratio is
    below one where answering a webhook, its commit included, takes less than the least page.
    """
    figures = []
    nothing = b"GET /bench/nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for stated, target in ((1000.0, 2.0), (1500.0, 3.0))[: 1 if plan.quick else 2]:
        rate, slower = pace.steady(plan, stated)
        ratios, details = [], []
        for _ in range(plan.rounds):
            with product(plan.desk, plan.folder) as served:
                requests, _ = deliveries(served.path, int(rate * (plan.seconds + 3)))
                with on_last_core():
                    idle = open_loop(served.port, endless(nothing), rate=rate, seconds=plan.seconds)
                    acked = open_loop(served.port, iter(requests), rate=rate, seconds=plan.seconds)
            ratios.append(acked.percentile(0.99) / idle.percentile(0.99))
            details.append((acked.percentile(0.5), acked.percentile(0.99), idle.percentile(0.99)))
        p50, p99, base = medians(details)
        figures.append(
            Figure(
                f"F2 {stated:,.0f}/s",
                "p99 of the answer, delivering ÷ p99 of a page that does nothing",
                tuple(ratios),
                target,
                False,
                f"{slower}p50 {p50:.1f} ms, p99 {p99:.1f} ms; nothing: p99 {base:.1f} ms",
                {"p50_ms": p50, "p99_ms": p99, "nothing_p99_ms": base},
            )
        )
    return figures


def f4(plan: Plan) -> list[Figure]:
    """Measure what sharing commits gains over one commit per request, on ever slower disks."""
    figures = []
    shim: Path | None = None
    try:
        shim = build_shim(plan.folder)
    except SkippedError as error:
        plan.skip("F4 +1 ms and +4 ms", str(error))
    for delay_ms, target in ((0, 1.5), (1, 7.0), (4, 11.0)):
        if (delay_ms and shim is None) or (plan.quick and shim is not None and delay_ms < 4):
            continue
        slow = {"LD_PRELOAD": str(shim), "BENCH_FSYNC_US": str(delay_ms * 1000)} if delay_ms else {}
        ratios, rates = [], []
        for _ in range(plan.rounds):
            shared = saturate(product(plan.desk, plan.folder, workers=0, **slow), plan.seconds)
            single = saturate(
                product(plan.desk, plan.folder, workers=0, BENCH_BATCH="1", **slow), plan.seconds
            )
            ratios.append(shared.rate / single.rate)
            rates.append((shared.rate, single.rate))
        many, one = medians(rates)
        figures.append(
            Figure(
                f"F4 +{delay_ms} ms",
                f"shared commits ÷ a commit each, fsync {delay_ms} ms slower",
                tuple(ratios),
                target,
                True,
                f"{many:,.0f}/s ÷ {one:,.0f}/s",
                {"shared_per_second": many, "single_per_second": one},
            )
        )
    return figures


def f7(plan: Plan) -> list[Figure]:
    """Measure how soon a message is on the agents' screens, against a small program that does the same."""
    rate, slower = pace.steady(plan, 1000.0)
    ratios, details = [], []
    for _ in range(plan.rounds):
        with floor(plan.folder, program="screens") as served:
            least = live.measure(plan.desk, served, rate=rate, seconds=plan.seconds)
        with product(plan.desk, plan.folder) as served:
            measured = live.measure(plan.desk, served, rate=rate, seconds=plan.seconds)
        ratios.append(measured.live_p99 / least.live_p99)
        details.append(
            (measured.ack_p99, measured.live_p50, measured.live_p99, least.live_p50, least.live_p99)
        )
    ack, p50, p99, least_p50, least_p99 = medians(details)
    return [
        Figure(
            "F7",
            "p99 webhook to 50 browsers ÷ p99 of the same in a small program that stores and tells, 1,000/s",
            tuple(ratios),
            4.0,
            False,
            f"{slower}on screen p50 {p50:.1f} ms, p99 {p99:.1f} ms; small program p50 {least_p50:.1f} ms, "
            f"p99 {least_p99:.1f} ms; answer p99 {ack:.1f} ms",
            {"live_p50_ms": p50, "live_p99_ms": p99, "ack_p99_ms": ack, "floor_p99_ms": least_p99},
        )
    ]
