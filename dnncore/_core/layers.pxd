"""The interface of a layer: forward, delta, and gradient with update.

Each kind of layer is one file with these three functions, each with a fused type for float and
double, and a function that creates a Layer from them: `dense.pxd`, `sparse.pxd` and
`embedding.pxd`.
"""

from .csrc cimport dnn_embedding, dnn_step, real


# The functions take n >= 1 rows of the inputs `a` and of the deltas of the outputs `dz`
# (n, n_outputs). `a` points to a dense matrix (n, n_inputs) or, if `takes_csr`, to dnn_csr_rows.
# `parameters`, `state1` and `state2` point to the n_parameters elements of this layer, `scratch` to
# scratch_size elements that belong to the calling thread.
#
# forward: writes the outputs, with `activation` applied, to `out` (n, n_outputs), and its slope
#     f'(z) to `slope` (n, n_outputs), which is NULL if the slope is a function of the outputs, or is
#     not needed.
# delta: writes the deltas of the previous layer to `out` (n, n_inputs). `kept` (n, n_inputs)
#     contains the slopes of the previous layer or, if they are a function of its outputs, these.
#     Not called for the first layer.
# update: updates this thread's part of the parameters from their gradient over the n rows. For
#     the L2 penalty, squares are summed in n_blocks blocks, so that its value does not depend on
#     the number of threads: before the update, the sums of this thread's blocks are written to
#     `sum_squares` (n_blocks,), which is NULL if there is no penalty.
ctypedef struct Layer:
    int index  # of the layer in its network
    Py_ssize_t n_inputs
    Py_ssize_t n_outputs
    int activation
    int input_activation
    bint drops  # whether dropout applies to the outputs
    bint builtin  # whether to use the products of csrc/ instead of BLAS
    bint takes_csr  # only the first layer may
    Py_ssize_t first_parameter  # in the vector of all parameters
    Py_ssize_t n_parameters
    Py_ssize_t n_weights  # the first of the parameters; the rate of biases applies to the others
    bint decays  # whether the weights decay
    Py_ssize_t n_blocks
    Py_ssize_t scratch_size
    double weight_rate  # factors of the learning rate and of the decoupled weight decay
    double bias_rate
    double weight_decay
    dnn_embedding embedding  # only of an embedding
    void (*forward_f32)(const Layer* layer, Py_ssize_t n, const void* a, const float* parameters,
                        float* scratch, float* out, float* slope) noexcept nogil
    void (*forward_f64)(const Layer* layer, Py_ssize_t n, const void* a,
                        const double* parameters, double* scratch, double* out,
                        double* slope) noexcept nogil
    void (*delta_f32)(const Layer* layer, Py_ssize_t n, const float* dz, const float* parameters,
                      const float* kept, float* scratch, float* out) noexcept nogil
    void (*delta_f64)(const Layer* layer, Py_ssize_t n, const double* dz,
                      const double* parameters, const double* kept, double* scratch,
                      double* out) noexcept nogil
    void (*update_f32)(const Layer* layer, const dnn_step* step, Py_ssize_t n, int thread,
                       int n_threads, const void* a, const float* dz, float* scratch,
                       float* state1, float* state2, float* parameters,
                       double* sum_squares) noexcept nogil
    void (*update_f64)(const Layer* layer, const dnn_step* step, Py_ssize_t n, int thread,
                       int n_threads, const void* a, const double* dz, double* scratch,
                       double* state1, double* state2, double* parameters,
                       double* sum_squares) noexcept nogil


cdef inline dnn_step weight_step(const Layer* layer, const dnn_step* step) noexcept nogil:
    """Return the step for the weights of a layer."""
    cdef dnn_step own = step[0]
    own.rate *= layer.weight_rate
    own.shrink *= layer.weight_rate * layer.weight_decay
    if not layer.decays:
        own.decay = own.shrink = 0.0
    return own


cdef inline dnn_step bias_step(const Layer* layer, const dnn_step* step) noexcept nogil:
    """Return the step for the biases of a layer, which do not decay."""
    cdef dnn_step own = step[0]
    own.rate *= layer.bias_rate
    own.decay = own.shrink = 0.0
    return own


cdef inline void forward(const Layer* layer, Py_ssize_t n, const void* a, const real* parameters,
                         real* scratch, real* out, real* slope) noexcept nogil:
    if real is float:
        layer.forward_f32(layer, n, a, parameters, scratch, out, slope)
    else:
        layer.forward_f64(layer, n, a, parameters, scratch, out, slope)


cdef inline void delta(const Layer* layer, Py_ssize_t n, const real* dz, const real* parameters,
                       const real* kept, real* scratch, real* out) noexcept nogil:
    if real is float:
        layer.delta_f32(layer, n, dz, parameters, kept, scratch, out)
    else:
        layer.delta_f64(layer, n, dz, parameters, kept, scratch, out)


cdef inline void update(const Layer* layer, const dnn_step* step, Py_ssize_t n, int thread,
                        int n_threads, const void* a, const real* dz, real* scratch, real* state1,
                        real* state2, real* parameters, double* sum_squares) noexcept nogil:
    if real is float:
        layer.update_f32(layer, step, n, thread, n_threads, a, dz, scratch, state1, state2,
                         parameters, sum_squares)
    else:
        layer.update_f64(layer, step, n, thread, n_threads, a, dz, scratch, state1, state2,
                         parameters, sum_squares)
