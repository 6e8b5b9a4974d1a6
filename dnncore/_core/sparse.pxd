"""The dense layer for CSR rows: their products with W, and the gradient, are computed from the
stored elements, with the products of csrc/. Its parameters and results are those of `dense.pxd`."""

from .csrc cimport (
    DNN_IDENTITY, DNN_SPARSE_ROWS, dnn_csr_rows, dnn_ops, dnn_step, ops_for, real,
)
from .dense cimport dense_layer, first_row, sum_squares_of, update_biases
from .layers cimport Layer, weight_step


cdef enum:
    CURSORS = 4  # elements of float or double that hold the two cursors of a row


cdef inline void sparse_forward(const Layer* layer, Py_ssize_t n, const void* a,
                                const real* parameters, real* scratch, real* out,
                                real* slope) noexcept nogil:
    """out = f(a W + b), and slope = f'(a W + b) unless it is NULL."""
    ops_for(parameters).sparse_forward(<const dnn_csr_rows*> a, n, layer.n_outputs, parameters,
                                       parameters + layer.n_weights, layer.activation, out, slope)


cdef inline void sparse_update(const Layer* layer, const dnn_step* step, Py_ssize_t n, int thread,
                               int n_threads, const void* a, const real* dz, real* scratch,
                               real* state1, real* state2, real* parameters,
                               double* sum_squares) noexcept nogil:
    """As dense_update."""
    cdef Py_ssize_t first = first_row(layer, thread, n_threads)
    cdef Py_ssize_t last = first_row(layer, thread + 1, n_threads)
    cdef dnn_step own = weight_step(layer, step)
    if sum_squares != NULL:
        sum_squares_of(layer, thread, n_threads, <const real*> parameters, sum_squares)
    if first < last:
        ops_for(dz).sparse_update(&own, <const dnn_csr_rows*> a, n, layer.n_outputs, first, last,
                                  dz, <Py_ssize_t*> scratch,
                                  scratch + n * CURSORS, state1, state2, parameters)
    if thread == layer.index % n_threads:
        update_biases(layer, step, n, dz, scratch, state1, state2, parameters)


cdef inline Layer sparse_layer(const dnn_ops* ops, Py_ssize_t n_inputs, Py_ssize_t n_outputs,
                               int activation, bint drops, Py_ssize_t max_rows) noexcept nogil:
    """Return the first layer of a network for CSR rows, at most `max_rows` at a time."""
    cdef Layer layer = dense_layer(ops, 0, n_inputs, n_outputs, activation, DNN_IDENTITY, drops,
                                   True, 0, max_rows)
    layer.takes_csr = True
    layer.scratch_size = max_rows * CURSORS + DNN_SPARSE_ROWS * n_outputs
    layer.forward_f32, layer.forward_f64 = sparse_forward, sparse_forward
    layer.update_f32, layer.update_f64 = sparse_update, sparse_update
    return layer
