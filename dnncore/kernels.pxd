"""Forward and backward kernels for use in nogil code.

    from dnncore.kernels cimport c_affine, c_sigmoid

All matrices are row-major and contiguous. Outputs are the last arguments, and are overwritten.
Arguments are not validated, no memory is allocated, and no exceptions are raised. The numbers of
rows and columns must fit in a C int; there must be at least one column. The functions accept float
or double, but not a mixture.
"""

ctypedef fused real:
    float
    double

# out = (x - mean) / scale                        x, out (n, m); mean, scale (m,)
cdef void c_norm(Py_ssize_t n, Py_ssize_t m, const real* x, const real* mean,
                 const real* scale, real* out) noexcept nogil
# dx = da / scale
cdef void c_norm_backward(Py_ssize_t n, Py_ssize_t m, const real* da, const real* scale,
                          real* dx) noexcept nogil

# These two call the BLAS of SciPy. The first call of a process takes the GIL to load it.
# z = a W + b                                     a (n, k); W (k, m); b (m,); z (n, m)
cdef void c_affine(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const real* a, const real* W,
                   const real* b, real* z) noexcept nogil
# da = dz W^T, dW = a^T dz, db = column sums of dz; outputs that are NULL are omitted
cdef void c_affine_backward(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const real* dz,
                            const real* a, const real* W, real* da, real* dW,
                            real* db) noexcept nogil

# out = s (x[:n_numeric], e, x[n_numeric:]), e[f, d] = c[f, d] + sum_t q[f, t] V[f, d, t],
# q[f, t] = clip((x[f] - lower[f, t]) * inverse_width[f, t], 0, 1)
#                   x (n, n_inputs); lower, inverse_width (n_numeric, n_bins); s (m,), where
#                   m = n_numeric * size + n_inputs; V (n_numeric, size, n_bins);
#                   c (n_numeric, size); out (n, m)
cdef void c_piecewise_linear(Py_ssize_t n, Py_ssize_t n_inputs, Py_ssize_t n_numeric,
                             Py_ssize_t n_bins, Py_ssize_t size, const real* x, const real* lower,
                             const real* inverse_width, const real* s, const real* V,
                             const real* c, real* out) noexcept nogil
# Gradients with respect to x, s, V and c; dx is omitted if it is NULL, the others if ds is NULL
cdef void c_piecewise_linear_backward(Py_ssize_t n, Py_ssize_t n_inputs, Py_ssize_t n_numeric,
                                      Py_ssize_t n_bins, Py_ssize_t size, const real* dout,
                                      const real* x, const real* lower, const real* inverse_width,
                                      const real* s, const real* V, const real* c, real* dx,
                                      real* ds, real* dV, real* dc) noexcept nogil

# a = 1 / (1 + exp(-z)), n elements; a may be z
cdef void c_sigmoid(Py_ssize_t n, const real* z, real* a) noexcept nogil
# dz = da * a * (1 - a); dz may be da
cdef void c_sigmoid_backward(Py_ssize_t n, const real* da, const real* a,
                             real* dz) noexcept nogil
# a = tanh(z), and dz = da * (1 - a^2)
cdef void c_tanh(Py_ssize_t n, const real* z, real* a) noexcept nogil
cdef void c_tanh_backward(Py_ssize_t n, const real* da, const real* a, real* dz) noexcept nogil
# a = max(z, 0), and dz = da where a > 0, else 0
cdef void c_relu(Py_ssize_t n, const real* z, real* a) noexcept nogil
cdef void c_relu_backward(Py_ssize_t n, const real* da, const real* a, real* dz) noexcept nogil
# a = s z where z > 0, else t (exp(z) - 1), and dz = da s where a > 0, else da (a + t), with
# s = 1.0507009873554805 and t = 1.7580993408473768
cdef void c_selu(Py_ssize_t n, const real* z, real* a) noexcept nogil
cdef void c_selu_backward(Py_ssize_t n, const real* da, const real* a, real* dz) noexcept nogil
# The derivatives of the following functions need their input: dz = da * f'(z)
# a = z / (1 + exp(-z))
cdef void c_silu(Py_ssize_t n, const real* z, real* a) noexcept nogil
cdef void c_silu_backward(Py_ssize_t n, const real* da, const real* z, real* dz) noexcept nogil
# a = z (1 + erf(z / sqrt(2))) / 2
cdef void c_gelu(Py_ssize_t n, const real* z, real* a) noexcept nogil
cdef void c_gelu_backward(Py_ssize_t n, const real* da, const real* z, real* dz) noexcept nogil
# a = z tanh(log(1 + exp(z)))
cdef void c_mish(Py_ssize_t n, const real* z, real* a) noexcept nogil
cdef void c_mish_backward(Py_ssize_t n, const real* da, const real* z, real* dz) noexcept nogil
# a = exp(z), at most the largest finite number, and dz = da * a
cdef void c_exp(Py_ssize_t n, const real* z, real* a) noexcept nogil
cdef void c_exp_backward(Py_ssize_t n, const real* da, const real* a, real* dz) noexcept nogil

# Row-wise on (n, m); the output may be the first input
cdef void c_softmax(Py_ssize_t n, Py_ssize_t m, const real* z, real* p) noexcept nogil
cdef void c_log_softmax(Py_ssize_t n, Py_ssize_t m, const real* z, real* log_p) noexcept nogil
# dz = p * (dp - sum_j dp_j p_j)
cdef void c_softmax_backward(Py_ssize_t n, Py_ssize_t m, const real* dp, const real* p,
                             real* dz) noexcept nogil
# The elements of every row in ascending order
cdef void c_sort_rows(Py_ssize_t n, Py_ssize_t m, const real* z, real* out) noexcept nogil
# dz_i = dout_j, where z_i is element j of the sorted row; dz must not overlap the others
cdef void c_sort_rows_backward(Py_ssize_t n, Py_ssize_t m, const real* dout, const real* z,
                               real* dz) noexcept nogil

# Cross-entropy. Labels: class indices label[r] in [0, m) or, if label is NULL, the rows of
# L (n, m). The loss of row r is multiplied by inverse_total * weight[r] (weight NULL: ones) and
# written to row_loss (n,); the total loss is its sum. For a mean over n rows, inverse_total = 1 / n.
cdef void c_cross_entropy(Py_ssize_t n, Py_ssize_t m, const real* p, const Py_ssize_t* label,
                          const real* L, double inverse_total, const real* weight,
                          double* row_loss) noexcept nogil
cdef void c_cross_entropy_backward(Py_ssize_t n, Py_ssize_t m, const real* p,
                                   const Py_ssize_t* label, const real* L, double inverse_total,
                                   const real* weight, real* dp) noexcept nogil
# Cross-entropy from logits, numerically stable: row_loss as above, and
# dz = inverse_total * weight[r] * (p sum_i L_i - L). dz may be z.
cdef void c_softmax_cross_entropy(Py_ssize_t n, Py_ssize_t m, const real* z,
                                  const Py_ssize_t* label, const real* L, double inverse_total,
                                  const real* weight, double* row_loss,
                                  real* dz) noexcept nogil

# Losses that are sums over the outputs, with targets Y (n, m): row_loss as above, and
# dz = inverse_total * weight[r] times the derivative of the sum. dz may be z.
# -(Y log p + (1 - Y) log(1 - p)), p = 1 / (1 + exp(-z)), Y in [0, 1]
cdef void c_sigmoid_cross_entropy(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                                  double inverse_total, const real* weight, double* row_loss,
                                  real* dz) noexcept nogil
# (z - Y)^2 / 2
cdef void c_squared_error(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                          double inverse_total, const real* weight, double* row_loss,
                          real* dz) noexcept nogil
# (z - Y)^2 / 2 where |z - Y| <= delta, else delta * (|z - Y| - delta / 2)
cdef void c_huber_error(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                        double delta, double inverse_total, const real* weight, double* row_loss,
                        real* dz) noexcept nogil
# |z - Y|
cdef void c_absolute_error(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                           double inverse_total, const real* weight, double* row_loss,
                           real* dz) noexcept nogil
# (1 - q) (z - Y) where z > Y, else q (Y - z), with the levels q of the outputs, quantiles (m,)
cdef void c_quantile_error(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                           const double* quantiles, double inverse_total, const real* weight,
                           double* row_loss, real* dz) noexcept nogil
# Y log(Y / exp(z)) - Y + exp(z), Y >= 0
cdef void c_poisson_deviance(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                             double inverse_total, const real* weight, double* row_loss,
                             real* dz) noexcept nogil
