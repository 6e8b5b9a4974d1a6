/* The C layer of dnncore: vector operations on rows of float or double, and the instruction sets
 * that they are compiled for.
 *
 * One source (ops/) is compiled for each instruction set and each type (isa/). Every result is
 * built from IEEE operations in an order that the source fixes: multiply-adds are explicit fma()
 * calls (contraction is off), and sums run in DNN_LANE_BYTES wide lanes whatever the register
 * width. So all instruction sets return the same bits.
 *
 * Conventions, for all functions of dnn_ops:
 *   - `void *` stands for `float *` in dnn_isa.f32 and `double *` in dnn_isa.f64, here `real`;
 *   - matrices are row-major and contiguous, with `rows` >= 0 and `cols` >= 1;
 *   - IN arrays are read, OUT arrays written whole, IN/OUT arrays changed; OUT arrays come last;
 *   - an OUT array may be an IN array of the same shape, but must not overlap one in part; the
 *     products and updates need all arrays apart;
 *   - nothing is allocated, nothing fails; arguments are asserted in the debug build only.
 *
 * Errors, which tests/_core/test_csrc.py and tests/_core/test_error_bounds.py check, are given
 *   - in ULP: the distance in representable numbers from the correctly rounded result; "at" is the
 *     input whose result is farthest from the exact one, of all floats and of 10^8 doubles;
 *   - in eps, 2^-23 for float and 2^-52 for double, to first order, where sums are involved. Then
 *     depth(n) is how many additions an element goes through in a sum over a row of n: n for rows
 *     shorter than the lanes (16 floats, 8 doubles), n / lanes + 5 for others.
 */
#ifndef DNN_OPS_H
#define DNN_OPS_H

#include <stddef.h>
#include <stdint.h>

enum { DNN_LANE_BYTES = 64 };

/* Rows that add_moments merges at a time. */
enum { DNN_MOMENTS_ROWS = 256 };

/* a = f(z), and f'(z) from a:
 *   LOGISTIC: 1 / (1 + exp(-z)), a (1 - a)      TANH: 1 - a^2
 *   RELU: max(z, 0), 1 if a > 0 else 0          IDENTITY: 1 */
typedef enum dnn_activation { DNN_IDENTITY, DNN_LOGISTIC, DNN_TANH, DNN_RELU } dnn_activation;

/* Losses that are a sum over the outputs of a row, with targets Y and residual d:
 *   BINARY_CROSS_ENTROPY: -(Y log p + (1 - Y) log(1 - p)), p = 1 / (1 + exp(-z));  d = p - Y
 *   SQUARED_ERROR:        (z - Y)^2 / 2;                                           d = z - Y
 *   HUBER:                the same where |z - Y| <= delta, else delta (|z - Y| - delta / 2);
 *                         d = z - Y, clipped to +-delta */
typedef enum dnn_loss { DNN_BINARY_CROSS_ENTROPY, DNN_SQUARED_ERROR, DNN_HUBER } dnn_loss;

/* How a solver updates weights w from their gradient, decay included: g + decay * w.
 *   SGD:      w -= rate * g
 *   MOMENTUM: v = momentum * v - rate * g;  w += v
 *   NESTEROV: v = momentum * v - rate * g;  w += momentum * v - rate * g
 *   ADAM:     m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
 *             w -= rate * m / (sqrt(v) + epsilon), bias correction being in `rate` */
typedef enum dnn_update { DNN_SGD, DNN_MOMENTUM, DNN_NESTEROV, DNN_ADAM } dnn_update;

/* One step of a solver. */
typedef struct dnn_step {
    dnn_update update;
    double rate;
    double decay; /* of weights; biases have none */
    double momentum;
    double beta1, beta2, epsilon;
} dnn_step;

typedef struct dnn_ops {
    /* ------------------------------------------------------------ functions of one number */

    /* y = exp(x).
     *   IN  x (n,)
     *   OUT y (n,)
     * 1 ULP: float at 0x1.4cc672p+2, double at 0x1.9216dbad6b92p+5. */
    void (*exp)(ptrdiff_t n, const void *x, void *y);

    /* y = log(x).
     *   IN  x (n,)
     *   OUT y (n,)
     * 1 ULP: float at 0x1.69cf3ep+0, double at 0x1.6748f3056ed6dp+0. */
    void (*log)(ptrdiff_t n, const void *x, void *y);

    /* a = f(z).
     *   IN  z (n,)
     *   OUT a (n,)
     * LOGISTIC 2 ULP: float at -0x1.b7fa08p+1, double at -0x1.364c2a6a48bf9p+2.
     * TANH 2 ULP: float at 0x1.bb62c8p-1, double at 0x1.b9842941c76d2p-1. Others exact. */
    void (*activate)(dnn_activation activation, ptrdiff_t n, const void *z, void *a);

    /* dz = da * f'(z).
     *   IN  da (n,), a (n,) = f(z)
     *   OUT dz (n,)
     * LOGISTIC 2 ULP, TANH 1 ULP, others exact, for the `a` that is given. */
    void (*activate_backward)(dnn_activation activation, ptrdiff_t n, const void *da,
                              const void *a, void *dz);

    /* z = f(z + b) in every row.
     *   IN     b (cols,)
     *   IN/OUT z (rows, cols)
     * The sum is correctly rounded; then as activate. */
    void (*add_bias)(dnn_activation activation, ptrdiff_t rows, ptrdiff_t cols, const void *b,
                     void *z);

    /* out = x * factor where a random number of `key` and first + i, uniform over the 32-bit
     * integers, is at least `drop_below`, else 0.
     *   IN  x (n,)
     *   OUT out (n,)
     * Correctly rounded product with `factor` as a real. */
    void (*dropout)(uint32_t key, uint32_t drop_below, double factor, ptrdiff_t first, ptrdiff_t n,
                    const void *x, void *out);

    /* ----------------------------------------------------------------------- sums, checks */

    /* out[c] = sum over r of x[r, c], added in the order of the rows.
     *   IN  x (rows, cols)
     *   OUT out (cols,)
     * rows / 2 eps times the sum of |x[r, c]|. */
    void (*column_sums)(ptrdiff_t rows, ptrdiff_t cols, const void *x, void *out);

    /* Sum of x^2.
     *   IN x (n,)
     * (depth(n) + 1) / 2 eps of the result. */
    double (*sum_squares)(ptrdiff_t n, const void *x);

    /* Whether no x is infinite or NaN.
     *   IN x (n,) */
    int (*all_finite)(ptrdiff_t n, const void *x);

    /* ----------------------------------------------------------------------- rows of input */

    /* out[r] = x[index[r]], or x[r] without an index.
     *   IN  x (any, cols)
     *   IN  index (fetchable,) or NULL; what lies past `rows` <= fetchable will be asked for next,
     *       and is fetched meanwhile; fetchable is 0 without an index
     *   OUT out (rows, cols), apart from x if there is an index */
    void (*gather_rows)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const ptrdiff_t *index,
                        ptrdiff_t fetchable, void *out);

    /* out[r] = (x[index[r]] - mean) / scale, or of x[r] without an index, in one pass.
     *   IN  x, index, fetchable as in gather_rows
     *   IN  mean (cols,), scale (cols,)
     *   OUT out (rows, cols), apart from x if there is an index
     * 1 ULP. */
    void (*norm)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const ptrdiff_t *index,
                 ptrdiff_t fetchable, const void *mean, const void *scale, void *out);

    /* dx = da / scale in every row.
     *   IN  da (rows, cols), scale (cols,)
     *   OUT dx (rows, cols)
     * Correctly rounded. */
    void (*norm_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *da, const void *scale,
                          void *dx);

    /* Takes rows into the weighted mean and variance of each column. Chunks of DNN_MOMENTS_ROWS
     * rows, from the first one on, are merged one after another: calls with whole chunks give the
     * same bits as one call with all.
     *   IN     x (rows, cols), with NaN only if `missing`, which leaves it out
     *   IN     weight (rows,), not negative, or NULL for ones
     *   IN/OUT count (cols,), the weight so far; mean (cols,), variance (cols,)
     * In double eps, after any number of chunks, with S = the largest |x| / standard deviation:
     * mean (chunks + 4) S + 600 of the standard deviation, variance (chunks + 4) S + 600 of it. */
    void (*add_moments)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const double *weight,
                        int missing, double *count, double *mean, double *variance);

    /* ----------------------------------------------------------------------------- softmax */

    /* p = exp(z) / sum of exp(z), of every row.
     *   IN  z (rows, cols)
     *   OUT p (rows, cols)
     * (max z - z + log cols + depth(cols) + 7) / 2 eps of p. */
    void (*softmax)(ptrdiff_t rows, ptrdiff_t cols, const void *z, void *p);

    /* log_p = z - log of the sum of exp(z), of every row.
     *   IN  z (rows, cols)
     *   OUT log_p (rows, cols)
     * |log_p| + (4 log cols + depth(cols) + 3) / 2 eps, not relative. */
    void (*log_softmax)(ptrdiff_t rows, ptrdiff_t cols, const void *z, void *log_p);

    /* dz = p * (dp - sum of dp_j p_j), the whole Jacobian diag(p) - p p^T times dp.
     *   IN  dp (rows, cols), p (rows, cols)
     *   OUT dz (rows, cols)
     * (depth(cols) + 4) / 2 eps of p * (|dp| + sum of |dp_j| p_j). */
    void (*softmax_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *dp, const void *p,
                             void *dz);

    /* ------------------------------------------------------------------------------ losses
     *
     * The labels of row r are the class label[r], or, if label is NULL, the row L[r]. Row r counts
     * with factor_r = scale * weight[r], where weight == NULL stands for ones. `mass` below is the
     * sum of a row of L, 1 for a class, and loss_r the loss of row r without its factor. */

    /* row_loss[r] = -factor_r * sum of L_i log p_i, p being at least the smallest normal number.
     *   IN  p (rows, cols)
     *   IN  label (rows,) in [0, cols), or NULL and L (rows, cols); weight (rows,) or NULL
     *   OUT row_loss (rows,)
     * (depth(cols) + 4) / 2 eps of row_loss, if p <= 1. */
    void (*cross_entropy)(ptrdiff_t rows, ptrdiff_t cols, const void *p, const ptrdiff_t *label,
                          const void *L, double scale, const void *weight, double *row_loss);

    /* dp = -factor_r * L / p.
     *   IN  p, label, L, weight as in cross_entropy
     *   OUT dp (rows, cols)
     * 2 ULP. */
    void (*cross_entropy_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *p,
                                   const ptrdiff_t *label, const void *L, double scale,
                                   const void *weight, void *dp);

    /* row_loss as in cross_entropy with p = softmax(z), and dz = factor_r * (p * mass - L).
     *   IN  z (rows, cols); label, L, weight as in cross_entropy
     *   OUT row_loss (rows,), dz (rows, cols)
     * row_loss: (depth(cols) + 4) / 2 eps of factor_r * (loss_r + mass * (1 + log cols)).
     * dz: (log cols + 2 depth(cols) + 13) / 2 eps of factor_r * mass. */
    void (*softmax_cross_entropy)(ptrdiff_t rows, ptrdiff_t cols, const void *z,
                                  const ptrdiff_t *label, const void *L, double scale,
                                  const void *weight, double *row_loss, void *dz);

    /* row_loss[r] = factor_r * the sum over the outputs of row r, and dz = factor_r * d.
     *   IN  z (rows, cols), targets Y (rows, cols), weight (rows,) or NULL; `delta` is Huber's
     *   OUT row_loss (rows,), dz (rows, cols)
     * row_loss: 4 eps of it for BINARY_CROSS_ENTROPY with Y in [0, 1], else 1 eps; for the sum,
     * cols / 16 + 5 eps of double. dz: 4 eps of factor_r for BINARY_CROSS_ENTROPY, else 2 ULP. */
    void (*elementwise_loss)(dnn_loss loss, double delta, ptrdiff_t rows, ptrdiff_t cols,
                             const void *z, const void *Y, double scale, const void *weight,
                             double *row_loss, void *dz);

    /* ------------------------------------------------------------------- layers in training
     *
     * The three products of a layer a (n, k) -> z (n, m) with weights W (k, m), each finished
     * while its results are in the cache. Every result is one chain of multiply-adds over the
     * inner dimension in ascending order, which begins with the bias if there is one. So the
     * product is off by at most (length of the chain) / 2 eps of the sum of its absolute terms. */

    /* How many elements the scratch array of the products has. */
    size_t (*layer_scratch)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m);

    /* out = f(a W + b).
     *   IN  a (n, k), W (k, m), b (m,)
     *   OUT scratch (layer_scratch(n, k, m),), of no meaning afterwards
     *   OUT out (n, m) */
    void (*layer_forward)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a, const void *W,
                          const void *b, dnn_activation activation, void *scratch, void *out);

    /* out = (dz W^T) f', from the outputs a of f.
     *   IN  dz (n, m), W (k, m), a (n, k)
     *   OUT scratch as in layer_forward
     *   OUT out (n, k) */
    void (*layer_delta)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *dz, const void *W,
                        const void *a, dnn_activation activation, void *scratch, void *out);

    /* Updates rows [first, last) of W from their gradient a^T dz, which is not kept.
     *   IN     a (n, k), dz (n, m)
     *   OUT    scratch as in layer_forward
     *   IN/OUT state1 (k, m), state2 (k, m), what the update keeps: any such array if nothing
     *   IN/OUT W (k, m) */
    void (*layer_update)(const dnn_step *step, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m,
                         ptrdiff_t first, ptrdiff_t last, const void *a, const void *dz,
                         void *scratch, void *state1, void *state2, void *W);

    /* Updates n parameters w from their gradient g.
     *   IN     g (n,); `decay` counts, not that of the step
     *   IN/OUT state1 (n,), state2 (n,), what the update keeps: any such array if nothing
     *   IN/OUT w (n,)
     * Every operation and multiply-add of dnn_update is rounded once. */
    void (*update)(const dnn_step *step, double decay, ptrdiff_t n, const void *g, void *state1,
                   void *state2, void *w);

    /* -------------------------------------------------------------------- layers in scoring */

    /* m rounded up to what a packed row holds. */
    ptrdiff_t (*packed_cols)(ptrdiff_t m);

    /* Packs weights, for this instruction set only.
     *   IN  W (k, m)
     *   OUT packed (k * packed_cols(m),) */
    void (*pack_weights)(ptrdiff_t k, ptrdiff_t m, const void *W, void *packed);

    /* out = f(a W + b), with the bits of layer_forward.
     *   IN  a (n, k), whose rows are ld_a >= k elements apart; packed W; b (m,)
     *   OUT out (n, m), whose rows are ld_out >= packed_cols(m) elements apart; what lies between m
     *       and packed_cols(m) is overwritten */
    void (*forward_packed)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a, ptrdiff_t ld_a,
                           const void *packed, const void *b, dnn_activation activation,
                           ptrdiff_t ld_out, void *out);
} dnn_ops;

typedef struct dnn_isa {
    const char *name; /* "avx512", "avx2", "neon" or "generic" */
    const dnn_ops *f32, *f64;
} dnn_isa;

/* The i-th instruction set that this processor and operating system can run, the best one first
 * and "generic" last; NULL past the end. Static storage. */
const dnn_isa *dnn_isa_available(int i);

#endif
