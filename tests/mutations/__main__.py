"""``python -m tests.mutations``: try every mutant, those of the paths given, or a sample."""

from __future__ import annotations

import argparse
import sys
import time

from tests.mutations import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument(
        "paths", nargs="*", help="folders, modules, or MODULE:LINE; default: all of " + ", ".join(run.FOLDERS)
    )
    parser.add_argument(
        "--sample", type=int, help="only the first so many, in an order that is always the same"
    )
    parser.add_argument("--skip", type=int, default=0, help="leave out as many of the sample")
    parser.add_argument("-n", type=int, default=2, dest="processes")
    options = parser.parse_args()
    chosen = run.mutants(*options.paths)[options.skip :][: options.sample]
    if not chosen:
        parser.error("there is no mutant in " + " ".join(options.paths))
    known, began, survived = run.accepted(), time.monotonic(), []
    print(f"{len(chosen)} mutants", flush=True)
    for fate in run.tried(chosen, processes=options.processes):
        explained = known.get(fate.mutant.key)
        print(
            fate.line + (f": accepted, {explained}" if explained and not fate.killed_by else ""), flush=True
        )
        if not fate.killed_by and not explained:
            survived.append(fate)
    print(f"{len(chosen)} mutants, {len(survived)} survived unexplained, {time.monotonic() - began:.0f} s")
    for fate in survived:
        print(f"- `{fate.mutant.function}`: `{fate.mutant.change}`: ")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
