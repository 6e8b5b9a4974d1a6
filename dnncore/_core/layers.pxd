"""What the engine asks of a layer, whatever its kind: forward, delta, and gradient with update.

A kind of layer is one file: these three functions, each for float and double out of one fused
source, and one that fills a Layer with them. `dense.pxd` is the first.
"""

from .csrc cimport dnn_step, real


# The functions take n >= 1 rows of the inputs `a` (n, n_inputs), and of the delta of the outputs
# `dz` (n, n_outputs). `parameters`, `state1` and `state2` are the layer's own n_parameters
# elements; `scratch` are scratch_size elements, of each thread its own.
#
# forward: `out` (n, n_outputs), the outputs, with `activation` applied.
# delta: `out` (n, n_inputs), the delta of the layer before, whose `input_activation` gave `a`.
#     The first layer is not asked for it.
# update: this thread's part of the parameters, from their gradient over the n rows. The squares
#     that the L2 penalty takes are summed in n_blocks blocks, which makes its value independent
#     of the number of threads: `sum_squares` (n_blocks,), NULL without a penalty, takes the sums
#     of this thread's blocks before the update.
ctypedef struct Layer:
    int index  # of the layer in its network
    Py_ssize_t n_inputs
    Py_ssize_t n_outputs
    int activation
    int input_activation
    bint builtin  # whether the products are csrc's own or those of BLAS
    Py_ssize_t first_parameter  # in the vector of all parameters
    Py_ssize_t n_parameters
    Py_ssize_t n_blocks
    Py_ssize_t scratch_size
    void (*forward_f32)(const Layer* layer, Py_ssize_t n, const float* a, const float* parameters,
                        float* scratch, float* out) noexcept nogil
    void (*forward_f64)(const Layer* layer, Py_ssize_t n, const double* a,
                        const double* parameters, double* scratch, double* out) noexcept nogil
    void (*delta_f32)(const Layer* layer, Py_ssize_t n, const float* dz, const float* parameters,
                      const float* a, float* scratch, float* out) noexcept nogil
    void (*delta_f64)(const Layer* layer, Py_ssize_t n, const double* dz,
                      const double* parameters, const double* a, double* scratch,
                      double* out) noexcept nogil
    void (*update_f32)(const Layer* layer, const dnn_step* step, Py_ssize_t n, int thread,
                       int n_threads, const float* a, const float* dz, float* scratch,
                       float* state1, float* state2, float* parameters,
                       double* sum_squares) noexcept nogil
    void (*update_f64)(const Layer* layer, const dnn_step* step, Py_ssize_t n, int thread,
                       int n_threads, const double* a, const double* dz, double* scratch,
                       double* state1, double* state2, double* parameters,
                       double* sum_squares) noexcept nogil


cdef inline void forward(const Layer* layer, Py_ssize_t n, const real* a, const real* parameters,
                         real* scratch, real* out) noexcept nogil:
    if real is float:
        layer.forward_f32(layer, n, a, parameters, scratch, out)
    else:
        layer.forward_f64(layer, n, a, parameters, scratch, out)


cdef inline void delta(const Layer* layer, Py_ssize_t n, const real* dz, const real* parameters,
                       const real* a, real* scratch, real* out) noexcept nogil:
    if real is float:
        layer.delta_f32(layer, n, dz, parameters, a, scratch, out)
    else:
        layer.delta_f64(layer, n, dz, parameters, a, scratch, out)


cdef inline void update(const Layer* layer, const dnn_step* step, Py_ssize_t n, int thread,
                        int n_threads, const real* a, const real* dz, real* scratch, real* state1,
                        real* state2, real* parameters, double* sum_squares) noexcept nogil:
    if real is float:
        layer.update_f32(layer, step, n, thread, n_threads, a, dz, scratch, state1, state2,
                         parameters, sum_squares)
    else:
        layer.update_f64(layer, step, n, thread, n_threads, a, dz, scratch, state1, state2,
                         parameters, sum_squares)
