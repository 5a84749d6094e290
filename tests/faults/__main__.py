"""`python -m tests.faults [--long] [WORD …]`: faults inflicted on real builds, and a table of what they cost.

All of them, or those with a WORD in their name.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.inflicted import FAULTS, suffer
from tests.faults.scene import QUICK, REAL, scene

LINE = "{:44} {:>5} {:>9} {:>12} {:>15} {:>19}"


def main() -> int:
    """Exit code 1 where a row was lost, doubled or changed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Faults inflicted on real builds, edits and sweeps."
    )
    parser.add_argument(
        "--long",
        action="store_true",
        help="with real models, and most faults several times: an hour on two cores",
    )
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="only faults with a WORD in their name; default: all"
    )
    arguments, whole = parser.parse_args(), True
    with (
        tempfile.TemporaryDirectory(prefix="une-faults-") as folder,
        scene(Path(folder), REAL if arguments.long else QUICK) as place,
    ):
        print(
            LINE.format(
                "fault", "times", "rows lost", "rows doubled", "rows different", "seconds to recover"
            ),
            flush=True,
        )
        for fault in FAULTS:
            times = fault.long if arguments.long else fault.short or 1
            if not arguments.words or any(word in fault.name for word in arguments.words):
                try:
                    outcome = suffer(place, fault, times)
                except pytest.skip.Exception as reason:
                    print(f"{fault.name:44} not inflicted: {reason}", flush=True)
                    continue
                counts = (outcome.left.lost, outcome.left.doubled, outcome.left.different)
                print(LINE.format(fault.name, times, *counts, f"{outcome.seconds:.1f}"), flush=True)
                whole &= not any(counts)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
