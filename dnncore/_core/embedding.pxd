"""The piecewise-linear embedding of numbers, s (x, e, rest), as the first layer.

Its parameters are s (n_outputs,), V (n_numeric, size, n_bins) and c (n_numeric, size); see embed in
csrc/ops.h. The L2 penalty does not apply to them.
"""

cimport numpy as cnp

from .csrc cimport DNN_IDENTITY, dnn_embedding, dnn_step, ops_for, real
from .layers cimport Layer, bias_step, weight_step
from .team cimport share


cdef inline dnn_embedding embedding_of(object embedding) noexcept:
    """Return a PiecewiseLinear as a struct, which is valid as long as the object is."""
    cdef dnn_embedding of
    of.n_inputs, of.n_numeric = embedding.n_inputs, embedding.n_numeric
    of.n_bins, of.size = embedding.n_bins, embedding.size
    of.lower = cnp.PyArray_DATA(embedding.lower)
    of.inverse_width = cnp.PyArray_DATA(embedding.inverse_width)
    return of


cdef inline Py_ssize_t embedding_outputs(const dnn_embedding* of) noexcept nogil:
    return of.n_numeric * of.size + of.n_inputs


cdef inline Py_ssize_t first_weight(const dnn_embedding* of) noexcept nogil:
    """Return the position of V in the parameters."""
    return embedding_outputs(of)


cdef inline Py_ssize_t first_bias(const dnn_embedding* of) noexcept nogil:
    """Return the position of c in the parameters."""
    return first_weight(of) + of.n_numeric * of.size * of.n_bins


cdef inline void embed(const dnn_embedding* of, Py_ssize_t n, const real* x,
                       const real* parameters, real* out) noexcept nogil:
    """out = s (x, c + q V, rest)."""
    ops_for(x).embed(of, n, x, parameters, parameters + first_weight(of),
                     parameters + first_bias(of), out)


cdef inline void embedding_forward(const Layer* layer, Py_ssize_t n, const void* a,
                                   const real* parameters, real* scratch, real* out,
                                   real* slope) noexcept nogil:
    embed(&layer.embedding, n, <const real*> a, parameters, out)


cdef inline void embedding_update(const Layer* layer, const dnn_step* step, Py_ssize_t n,
                                  int thread, int n_threads, const void* a, const real* dout,
                                  real* scratch, real* state1, real* state2, real* parameters,
                                  double* sum_squares) noexcept nogil:
    """Update the parameters of this thread's numbers, and of its part of the other inputs.

    The factor of the learning rate of weights applies to s, that of biases to V and c; none of
    them decays.
    """
    cdef const dnn_embedding* of = &layer.embedding
    cdef const real* x = <const real*> a
    cdef Py_ssize_t numbers = of.n_numeric, size = of.size, rest = of.n_inputs - numbers
    cdef Py_ssize_t V = first_weight(of), c = first_bias(of)
    cdef Py_ssize_t first = share(numbers, thread, n_threads)
    cdef Py_ssize_t last = share(numbers, thread + 1, n_threads)
    cdef Py_ssize_t count = (last - first) * size
    cdef dnn_step scale_step = weight_step(layer, step), own = bias_step(layer, step)
    if first < last:
        _gradient(of, n, first, last, x, dout, <const real*> parameters, scratch)
        _update(&scale_step, first, last - first, scratch, state1, state2, parameters)
        _update(&scale_step, numbers + first * size, count, scratch, state1, state2, parameters)
        _update(&own, V + first * size * of.n_bins, count * of.n_bins, scratch, state1, state2,
                parameters)
        _update(&own, c + first * size, count, scratch, state1, state2, parameters)
    first = numbers + share(rest, thread, n_threads)
    last = numbers + share(rest, thread + 1, n_threads)
    if first < last:
        _gradient(of, n, first, last, x, dout, <const real*> parameters, scratch)
        _update(&scale_step, numbers * size + first, last - first, scratch, state1, state2,
                parameters)


cdef inline void _gradient(const dnn_embedding* of, Py_ssize_t n, Py_ssize_t first,
                           Py_ssize_t last, const real* a, const real* dout,
                           const real* parameters, real* gradient) noexcept nogil:
    """Compute the gradients of the inputs [first, last), in the layout of the parameters."""
    cdef Py_ssize_t V = first_weight(of), c = first_bias(of)
    ops_for(a).embed_gradient(of, n, first, last, dout, a, parameters, parameters + V,
                              parameters + c, gradient, gradient + V, gradient + c)


cdef inline void _update(const dnn_step* step, Py_ssize_t first, Py_ssize_t n,
                         const real* gradient, real* state1, real* state2,
                         real* parameters) noexcept nogil:
    """Update n parameters from `first` on."""
    ops_for(gradient).update(step, n, gradient + first, state1 + first, state2 + first,
                             parameters + first)


cdef inline Layer embedding_layer(const dnn_embedding* of) noexcept nogil:
    """Return the embedding as the first layer of a network."""
    cdef Layer layer
    layer.index = 0
    layer.embedding = of[0]
    layer.n_inputs, layer.n_outputs = of.n_inputs, embedding_outputs(of)
    layer.activation = layer.input_activation = DNN_IDENTITY
    layer.drops = False
    layer.weight_rate = layer.bias_rate = layer.weight_decay = 1.0
    layer.builtin = True
    layer.takes_csr = False
    layer.first_parameter = 0
    layer.n_parameters = first_bias(of) + of.n_numeric * of.size
    layer.n_weights = first_weight(of)
    layer.decays = False
    layer.n_blocks = 0
    layer.scratch_size = layer.n_parameters
    layer.forward_f32, layer.forward_f64 = embedding_forward, embedding_forward
    layer.delta_f32, layer.delta_f64 = NULL, NULL
    layer.update_f32, layer.update_f64 = embedding_update, embedding_update
    return layer
