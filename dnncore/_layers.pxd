"""What the engine asks of a layer, on BLAS: forward, delta, and gradient with update.

An implementation that fuses these needs to provide the same three functions.
"""

from ._blas cimport matmul, matmul_nt, matmul_tn
from ._csrc cimport dnn_ops, ops_for, real

cdef enum Update:
    SGD, MOMENTUM, NESTEROV, ADAM


# The solver's update of one step. `rate` holds Adam's bias correction; `decay` is the L2
# penalty alpha over the weight of the batch.
ctypedef struct Step:
    Update update
    double rate
    double decay
    double momentum
    double beta1
    double beta2
    double epsilon


cdef inline void layer_forward(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const real* a,
                               const real* W, const real* b, bint hidden,
                               real* out) noexcept nogil:
    """out = sigmoid(a W + b) for a hidden layer, a W + b for the last; a (n, k), W (k, m)."""
    matmul(<int> n, <int> m, <int> k, a, W, out)
    if hidden:
        ops_for(a).add_bias_sigmoid(n, m, b, out)
    else:
        ops_for(a).add_bias(n, m, b, out)


cdef inline void layer_delta(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const real* dz,
                             const real* W, const real* a, real* out) noexcept nogil:
    """out = (dz W^T) a (1 - a): the delta of the layer whose output is a (n, k)."""
    matmul_nt(<int> n, <int> k, <int> m, dz, W, out)
    ops_for(dz).sigmoid_backward(n * k, out, a, out)


cdef inline void apply_update(const Step* step, double decay, Py_ssize_t n, const real* g,
                              real* state1, real* state2, real* w) noexcept nogil:
    """The solver's update of n parameters from their gradient g."""
    cdef const dnn_ops* ops = ops_for(g)
    if step.update == SGD:
        ops.sgd(n, step.rate, decay, g, w)
    elif step.update == MOMENTUM:
        ops.momentum(n, step.rate, decay, step.momentum, g, state1, w)
    elif step.update == NESTEROV:
        ops.nesterov(n, step.rate, decay, step.momentum, g, state1, w)
    else:
        ops.adam(n, step.rate, decay, step.beta1, step.beta2, step.epsilon, g, state1, state2, w)


cdef inline void layer_update(const Step* step, Py_ssize_t n, Py_ssize_t k, Py_ssize_t m,
                              Py_ssize_t first, Py_ssize_t last, const real* a,
                              const real* dz, real* gradient, real* state1, real* state2,
                              real* W) noexcept nogil:
    """Rows [first, last) of W (k, m) are updated from the gradient a^T dz; a (n, k).

    `gradient`, `state1` and `state2` are laid out as W; gradient is scratch.
    """
    cdef Py_ssize_t start = first * m
    matmul_tn(<int> (last - first), <int> m, <int> n, a + first, <int> k, dz, gradient + start)
    apply_update(step, step.decay, (last - first) * m, gradient + start, state1 + start,
                 state2 + start, W + start)
