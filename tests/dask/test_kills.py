"""Workers that are killed during a fit; tests/helpers/chaos.py does so as often as you like."""

import os
import random
import signal

import dask
import pytest

pytest.importorskip("distributed")

from partitioned import array, classifier, cut, digest, rows, slow

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_three_kills(start_cluster):
    """Rows that were kept are read again, and a round that was lost is repeated."""
    X, y = rows()
    parts = [dask.delayed(slow)(p) for p in cut(X)]
    options = {"early_stopping": True, "max_iter": 8, "keep_rows": True}
    expected = digest(classifier(**options).fit(parts, array(y)))
    choose, killed = random.Random(0), []
    with start_cluster(2, processes=True) as client:

        def kill(info):
            if info.epoch in (1, 3, 6):
                running = client.run(os.getpid)
                killed.append(choose.choice(sorted(running.values())))
                os.kill(killed[-1], signal.SIGKILL)

        model = classifier(client=client, callback=kill, **options).fit(parts, array(y))
    assert len(set(killed)) == 3
    assert digest(model) == expected
