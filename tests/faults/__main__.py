"""`python -m tests.faults [--long] [WORD …]`: faults inflicted on real builds, and a table of what they cost; all, or those with a WORD in their name."""

import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.inflicted import FAULTS, suffer
from tests.faults.scene import QUICK, REAL, scene

LINE = "{:44} {:>5} {:>9} {:>12} {:>15} {:>19}"


def main() -> int:
    """Exit code 1 where a row was lost, doubled or changed."""
    whole, long, words = True, "--long" in sys.argv, [word for word in sys.argv[1:] if not word.startswith("-")]
    with tempfile.TemporaryDirectory(prefix="une-faults-") as folder, scene(Path(folder), REAL if long else QUICK) as found:
        print(LINE.format("fault", "times", "rows lost", "rows doubled", "rows different", "seconds to recover"), flush=True)
        for fault in FAULTS:
            times = fault.long if long else fault.short or 1
            if not words or any(word in fault.name for word in words):
                try:
                    outcome = suffer(found, fault, times)
                except pytest.skip.Exception as reason:
                    print(f"{fault.name:44} not inflicted: {reason}", flush=True)
                    continue
                counts = (outcome.left.lost, outcome.left.doubled, outcome.left.different)
                print(LINE.format(fault.name, times, *counts, f"{outcome.seconds:.1f}"), flush=True)
                whole &= not any(counts)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
