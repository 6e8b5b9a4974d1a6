"""Threads that exist for one call (csrc/team.h), and the division of work among them."""

cdef extern from "team.h" nogil:
    ctypedef struct dnn_team:
        pass
    ctypedef void (*dnn_team_work)(void* arg, dnn_team* team, int thread) noexcept nogil
    void dnn_team_run(int n_threads, dnn_team_work work, void* arg)
    int dnn_team_size(const dnn_team* team)
    void dnn_team_barrier(dnn_team* team)
    double dnn_seconds()


cdef inline Py_ssize_t share(Py_ssize_t n, int thread, int n_threads) noexcept nogil:
    """Return the first of n items that belongs to a thread."""
    return n * thread // n_threads
