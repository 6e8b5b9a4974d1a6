"""Two copies of some data, read without a lock while one of them is written (csrc/versions.h)."""

cdef extern from "versions.h" nogil:
    ctypedef struct dnn_versions:
        pass
    int dnn_versions_init(dnn_versions* v)
    void dnn_versions_destroy(dnn_versions* v)
    size_t dnn_versions_current(dnn_versions* v)
    bint dnn_versions_valid(dnn_versions* v, size_t version)
    void dnn_versions_lock(dnn_versions* v)
    void dnn_versions_unlock(dnn_versions* v)
    size_t dnn_versions_begin(dnn_versions* v)
    void dnn_versions_end(dnn_versions* v, size_t version, bint success)
