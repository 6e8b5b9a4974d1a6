"""Threads that live for one call (csrc/team.h), and how work is divided among them."""

cdef extern from "team.h" nogil:
    ctypedef struct dnn_team:
        pass
    ctypedef void (*dnn_team_work)(void* arg, dnn_team* team, int thread) noexcept nogil
    void dnn_team_run(int n_threads, dnn_team_work work, void* arg)
    int dnn_team_size(const dnn_team* team)
    void dnn_team_barrier(dnn_team* team)
    double dnn_seconds()


cdef inline Py_ssize_t share(Py_ssize_t n, int thread, int n_threads) noexcept nogil:
    """Where the part of a thread begins when n things are divided."""
    return n * thread // n_threads
