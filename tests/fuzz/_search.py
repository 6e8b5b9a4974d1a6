"""What the searches of this folder have in common: seeds, a limit of time, counts, findings."""

import argparse
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

SHOWN = 20


def search(try_one: Callable[[np.random.Generator], str]) -> None:
    """Try cases until the time is over; print how many there were, by what try_one returns.

    An exception of try_one is a finding. The exit status is 1 if there are any.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="default: %(default)g")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; default: 0")
    parser.add_argument("--count", type=int, default=2**63, help="largest number of cases")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # what is random need not converge
    outcomes: Counter[str] = Counter()
    places: Counter[str] = Counter()
    start = time.monotonic()
    seed = arguments.seed
    while seed < arguments.seed + arguments.count and time.monotonic() < start + arguments.seconds:
        try:
            with np.errstate(all="ignore"):
                outcomes[try_one(np.random.default_rng(seed))] += 1
        except Exception as error:
            outcomes["FOUND"] += 1
            _report(seed, error, places)
        seed += 1
    counts = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(outcomes.items()))
    print(
        f"{Path(sys.argv[0]).name}: {seed - arguments.seed:,} cases from seed {arguments.seed} "
        f"in {time.monotonic() - start:.0f} s: {counts}"
    )
    sys.exit(bool(outcomes["FOUND"]))


def _report(seed: int, error: Exception, places: Counter[str]) -> None:
    """Print the traceback of a finding, once for each place in the code."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
    places[place] += 1
    if places[place] == 1 and len(places) <= SHOWN:
        print(f"---- --seed {seed} --count 1", file=sys.stderr)
        traceback.print_exception(error)
        sys.stderr.flush()
