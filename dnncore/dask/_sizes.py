"""How many rows tasks are given: so many that Dask's cost is small beside their work.

The numbers depend on the network and the data alone, never on the cluster: the bits of a model
trained by averaging depend on how partitions are grouped.
"""

from __future__ import annotations

from ..network import Network

# Constants of the model of costs (docs/explanation/dask.md).
SECONDS_OF_A_TASK = 0.1  # work of a task, beside 1 ms of the scheduler and 10 ms of a round
COST_SHARE = 0.1  # of the transfer of parameters in a task
BYTES_PER_SECOND = 2e8  # of a transfer: between 1 Gbit/s and the memory of one machine
FLOP_PER_SECOND = 5e10  # of a thread
MAX_BYTES = 2**28  # of the rows of several partitions that are read together
LEVELS = 3  # of the tree of small sums in a task
LARGE_SUM = 2**20  # bytes: adding these takes as long as the scheduler takes for a task


def levels_of_a_task(n_bytes: int) -> int:
    """Return how many levels of the tree of sums a task adds.

    Large values are added in pairs: while other groups are still trained on, and by all workers.
    """
    return 1 if n_bytes > LARGE_SUM else LEVELS


def rows_of_a_group(network: Network, row_bytes: float, n_vectors: int) -> float:
    """Return the largest number of rows of partitions that are read together.

    Parameters
    ----------
    network : Network
        Network to train.
    row_bytes : float
        Size of a row.
    n_vectors : int
        Number of vectors of the size of the parameters that a task returns.
    """
    transfer = n_vectors * network.parameters.nbytes / BYTES_PER_SECOND
    seconds = max(SECONDS_OF_A_TASK, transfer / COST_SHARE)
    flop_of_a_row = 6.0 * network.n_parameters
    # Groups of equal partitions have between half of the limit and the limit.
    rows = 2.0 * seconds * FLOP_PER_SECOND / flop_of_a_row
    return min(rows, MAX_BYTES / row_bytes)
