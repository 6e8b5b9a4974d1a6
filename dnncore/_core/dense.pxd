"""The dense layer, f(a W + b). Its parameters are W (n_inputs, n_outputs), row-major, and b.

The matrix products are those of csrc/ (`builtin`), which apply the activation function or the
update while the results are in the cache, or those of BLAS, followed by a pass over the result.
"""

from .blas cimport matmul, matmul_nt, matmul_tn
from .csrc cimport dnn_ops, dnn_step, ops_for, real
from .layers cimport Layer, bias_step, weight_step
from .team cimport share


cdef enum:
    BLOCK_ROWS = 16  # the rows of W are divided among threads in blocks of this size


cdef inline void dense_forward(const Layer* layer, Py_ssize_t n, const void* a,
                               const real* parameters, real* scratch, real* out,
                               real* slope) noexcept nogil:
    """out = f(a W + b), and slope = f'(a W + b) unless it is NULL."""
    cdef Py_ssize_t k = layer.n_inputs, m = layer.n_outputs
    cdef const real* W = parameters
    cdef const real* b = parameters + k * m
    if layer.builtin:
        ops_for(W).layer_forward(n, k, m, a, W, b, layer.activation, scratch, out, slope)
        return
    matmul(<int> n, <int> m, <int> k, <const real*> a, W, out)
    ops_for(W).add_bias(layer.activation, n, m, b, out, slope)


cdef inline void dense_delta(const Layer* layer, Py_ssize_t n, const real* dz,
                             const real* parameters, const real* kept, real* scratch,
                             real* out) noexcept nogil:
    """out = (dz W^T) f', where f is the activation function of the previous layer."""
    cdef Py_ssize_t k = layer.n_inputs, m = layer.n_outputs
    cdef const real* W = parameters
    if layer.builtin:
        ops_for(dz).layer_delta(n, k, m, dz, W, kept, layer.input_activation, scratch, out)
        return
    matmul_nt(<int> n, <int> k, <int> m, dz, W, out)
    ops_for(dz).activate_backward(layer.input_activation, n * k, out, kept, out)


cdef inline void dense_update(const Layer* layer, const dnn_step* step, Py_ssize_t n, int thread,
                              int n_threads, const void* a, const real* dz, real* scratch,
                              real* state1, real* state2, real* parameters,
                              double* sum_squares) noexcept nogil:
    """Update this thread's rows of W from the gradient a^T dz; one of the threads also updates b
    from the column sums of dz."""
    cdef Py_ssize_t first = first_row(layer, thread, n_threads)
    cdef Py_ssize_t last = first_row(layer, thread + 1, n_threads)
    cdef dnn_step own = weight_step(layer, step)
    if sum_squares != NULL:
        sum_squares_of(layer, thread, n_threads, <const real*> parameters, sum_squares)
    if first < last:
        _update_weights(layer, &own, n, first, last, <const real*> a, dz, scratch, state1, state2,
                        parameters)
    if thread == layer.index % n_threads:
        update_biases(layer, step, n, dz, scratch, state1, state2, parameters)


cdef inline Py_ssize_t first_row(const Layer* layer, int thread, int n_threads) noexcept nogil:
    """Return the first row of W that belongs to a thread."""
    return min(share(layer.n_blocks, thread, n_threads) * BLOCK_ROWS, layer.n_inputs)


cdef inline void update_biases(const Layer* layer, const dnn_step* step, Py_ssize_t n,
                               const real* dz, real* scratch, real* state1, real* state2,
                               real* parameters) noexcept nogil:
    cdef Py_ssize_t m = layer.n_outputs, b = layer.n_weights
    cdef dnn_step own = bias_step(layer, step)
    ops_for(dz).column_sums(n, m, dz, scratch)
    ops_for(dz).update(&own, m, scratch, state1 + b, state2 + b, parameters + b)


cdef inline void sum_squares_of(const Layer* layer, int thread, int n_threads, const real* W,
                                double* sum_squares) noexcept nogil:
    """Compute the sums of squared weights of this thread's blocks."""
    cdef Py_ssize_t k = layer.n_inputs, m = layer.n_outputs, block, row
    for block in range(share(layer.n_blocks, thread, n_threads),
                       share(layer.n_blocks, thread + 1, n_threads)):
        row = block * BLOCK_ROWS
        sum_squares[block] = ops_for(W).sum_squares((min(row + BLOCK_ROWS, k) - row) * m,
                                                    W + row * m)


cdef inline void _update_weights(const Layer* layer, const dnn_step* step, Py_ssize_t n,
                                 Py_ssize_t first, Py_ssize_t last, const real* a,
                                 const real* dz, real* scratch, real* state1, real* state2,
                                 real* W) noexcept nogil:
    """Update rows [first, last) of W."""
    cdef Py_ssize_t k = layer.n_inputs, m = layer.n_outputs, start = first * m
    if layer.builtin:
        ops_for(a).layer_update(step, n, k, m, first, last, a, dz, scratch, state1, state2, W)
        return
    matmul_tn(<int> (last - first), <int> m, <int> n, a + first, <int> k, dz, scratch)
    ops_for(a).update(step, (last - first) * m, scratch, state1 + start, state2 + start,
                      W + start)


cdef inline Layer dense_layer(const dnn_ops* ops, int index, Py_ssize_t n_inputs,
                              Py_ssize_t n_outputs, int activation, int input_activation,
                              bint drops, bint builtin, Py_ssize_t first_parameter,
                              Py_ssize_t max_rows) noexcept nogil:
    """Return a dense layer for the type of `ops` and for at most `max_rows` rows at a time."""
    cdef Layer layer
    layer.index = index
    layer.n_inputs, layer.n_outputs = n_inputs, n_outputs
    layer.activation, layer.input_activation = activation, input_activation
    layer.drops = drops
    layer.builtin = builtin
    layer.takes_csr = False
    layer.first_parameter = first_parameter
    layer.n_parameters = (n_inputs + 1) * n_outputs
    layer.n_weights = n_inputs * n_outputs
    layer.decays = True
    layer.weight_rate = layer.bias_rate = layer.weight_decay = 1.0
    layer.n_blocks = (n_inputs + BLOCK_ROWS - 1) // BLOCK_ROWS
    layer.scratch_size = n_inputs * n_outputs
    if builtin:
        layer.scratch_size = <Py_ssize_t> ops.layer_scratch(max_rows, n_inputs, n_outputs)
    layer.forward_f32, layer.forward_f64 = dense_forward, dense_forward
    layer.delta_f32, layer.delta_f64 = dense_delta, dense_delta
    layer.update_f32, layer.update_f64 = dense_update, dense_update
    return layer
