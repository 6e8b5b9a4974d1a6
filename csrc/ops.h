/* The C layer of dnncore: vector operations on rows of float or double, and the
 * instruction sets that they are compiled for.
 *
 * One source, ops_template.h, is compiled once per instruction set and once per type.
 * Every result is built from IEEE operations in an order that the source fixes:
 * multiply-adds are explicit fma() calls (contraction is off), and sums run in
 * DNN_LANE_BYTES wide lanes whatever the register width. So all instruction sets
 * return the same bits.
 *
 * Conventions, for all functions of dnn_ops:
 *   - `void *` stands for `float *` in `dnn_isa.f32` and `double *` in `dnn_isa.f64`;
 *   - matrices are row-major and contiguous, with `rows` >= 0 and `cols` >= 1;
 *   - nothing is allocated, nothing is checked, nothing fails;
 *   - the input may be the same array as the output, but must not overlap it in part;
 *   - outputs come last.
 */
#ifndef DNN_OPS_H
#define DNN_OPS_H

#include <stddef.h>
#include <stdint.h>

enum { DNN_LANE_BYTES = 64 };

/* Rows that add_moments merges at a time. */
enum { DNN_MOMENTS_ROWS = 256 };

/* One step of a solver, from the gradient g + decay * w.
 *   SGD:      w -= rate * g
 *   MOMENTUM: v = momentum * v - rate * g;  w += v
 *   NESTEROV: v = momentum * v - rate * g;  w += momentum * v - rate * g
 *   ADAM:     m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
 *             w -= rate * m / (sqrt(v) + epsilon), bias correction being in `rate` */
typedef enum dnn_update { DNN_SGD, DNN_MOMENTUM, DNN_NESTEROV, DNN_ADAM } dnn_update;

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

typedef struct dnn_step {
    dnn_update update;
    double rate;
    double decay; /* of weights; biases have none */
    double momentum;
    double beta1, beta2, epsilon;
} dnn_step;

typedef struct dnn_ops {
    /* y[i] = exp(x[i]), log(x[i]). */
    void (*exp)(ptrdiff_t n, const void *x, void *y);
    void (*log)(ptrdiff_t n, const void *x, void *y);
    /* a = f(z); dz = da * f'(z). */
    void (*activate)(dnn_activation activation, ptrdiff_t n, const void *z, void *a);
    void (*activate_backward)(dnn_activation activation, ptrdiff_t n, const void *da, const void *a, void *dz);
    /* z = f(z + b) in every row. */
    void (*add_bias)(dnn_activation activation, ptrdiff_t rows, ptrdiff_t cols, const void *b, void *z);
    /* out[c] = sum over r of x[r, c], added in the order of the rows. */
    void (*column_sums)(ptrdiff_t rows, ptrdiff_t cols, const void *x, void *out);
    /* Sum of x[i]^2. */
    double (*sum_squares)(ptrdiff_t n, const void *x);
    /* Whether no x[i] is infinite or NaN. */
    int (*all_finite)(ptrdiff_t n, const void *x);

    /* out[r] = (x[index[r]] - mean) / scale; index == NULL takes row r itself.
     * mean == NULL copies the rows. `fetchable` >= rows elements of index are valid: what lies
     * past `rows` will be asked for next. It is 0 without an index. */
    void (*gather_rows)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const ptrdiff_t *index,
                 ptrdiff_t fetchable, void *out);
    void (*norm)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const ptrdiff_t *index,
                 ptrdiff_t fetchable, const void *mean, const void *scale, void *out);
    /* dx = da / scale in every row. */
    void (*norm_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *da, const void *scale,
                          void *dx);
    /* Takes rows into the weighted mean and variance of each column, which stand for weights of
     * `count` so far. Chunks of DNN_MOMENTS_ROWS rows, from the first one on, are merged one after
     * another: calls with whole chunks give the same bits as one call with all. weight == NULL
     * stands for ones. `missing`: NaN is left out; else there is none. */
    void (*add_moments)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const double *weight,
                        int missing, double *count, double *mean, double *variance);

    void (*softmax)(ptrdiff_t rows, ptrdiff_t cols, const void *z, void *p);
    void (*log_softmax)(ptrdiff_t rows, ptrdiff_t cols, const void *z, void *log_p);
    /* dz = p * (dp - sum_j dp_j p_j), the whole Jacobian diag(p) - p p^T times dp. */
    void (*softmax_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *dp, const void *p,
                             void *dz);

    /* Cross-entropy. The labels of row r are the class index label[r], or, if label is
     * NULL, the row L[r, :]. Row r counts with factor_r = scale * weight[r], where
     * weight == NULL stands for ones.
     *   row_loss[r] = -factor_r * sum_i L_i log p_i */
    void (*cross_entropy)(ptrdiff_t rows, ptrdiff_t cols, const void *p, const ptrdiff_t *label,
                          const void *L, double scale, const void *weight, double *row_loss);
    /* dp = -factor_r * L / p. */
    void (*cross_entropy_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *p,
                                   const ptrdiff_t *label, const void *L, double scale,
                                   const void *weight, void *dp);
    /* The same from logits: row_loss as above with p = softmax(z), and
     * dz = factor_r * (p * sum_i L_i - L). dz may be z. */
    void (*softmax_cross_entropy)(ptrdiff_t rows, ptrdiff_t cols, const void *z,
                                  const ptrdiff_t *label, const void *L, double scale,
                                  const void *weight, double *row_loss, void *dz);

    /* The losses with targets Y (rows, cols): row_loss[r] = factor_r * sum of the row's, and
     * dz = factor_r * d. dz may be z. `delta` is Huber's. */
    void (*elementwise_loss)(dnn_loss loss, double delta, ptrdiff_t rows, ptrdiff_t cols, const void *z,
                             const void *Y, double scale, const void *weight, double *row_loss,
                             void *dz);

    /* Dropout: out[i] = x[i] * factor where a random number of key and first + i, uniform over
     * the 32-bit integers, is at least `drop_below`, else 0. */
    void (*dropout)(uint32_t key, uint32_t drop_below, double factor, ptrdiff_t first, ptrdiff_t n,
                    const void *x, void *out);

    /* n parameters w, their gradient g and the solver's state; see dnn_step. */
    void (*update)(const dnn_step *step, double decay, ptrdiff_t n, const void *g, void *state1,
                   void *state2, void *w);

    /* The three products of a layer a (n, k) -> z (n, m) with weights W (k, m), each finished
     * while its results are in the cache. Every result is one chain of multiply-adds over the
     * inner dimension in ascending order, which begins with the bias if there is one. `scratch`
     * has layer_scratch(n, k, m) elements.
     *   forward: out = f(a W + b)
     *   delta:   out = (dz W^T) f', from the outputs a of f
     *   gradient with update: rows [first, last) of W from a^T dz; state1, state2 like W */
    size_t (*layer_scratch)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m);
    void (*layer_forward)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a, const void *W,
                          const void *b, dnn_activation activation, void *scratch, void *out);
    void (*layer_delta)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *dz, const void *W,
                        const void *a, dnn_activation activation, void *scratch, void *out);
    void (*layer_update)(const dnn_step *step, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m,
                         ptrdiff_t first, ptrdiff_t last, const void *a, const void *dz,
                         void *scratch, void *state1, void *state2, void *W);

    /* Scoring with packed weights: m rounded up to what a packed row holds; packing of W (k, m)
     * into k * packed_cols(m) elements, which is for this instruction set only; and
     *   out = f(a W + b),
     * where rows of a are ld_a and rows of out ld_out >= packed_cols(m) elements apart. What lies
     * between m and packed_cols(m) is overwritten. The bits are those of layer_forward. */
    ptrdiff_t (*packed_cols)(ptrdiff_t m);
    void (*pack_weights)(ptrdiff_t k, ptrdiff_t m, const void *W, void *packed);
    void (*forward_packed)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a, ptrdiff_t ld_a,
                           const void *packed, const void *b, dnn_activation activation, ptrdiff_t ld_out,
                           void *out);
} dnn_ops;

typedef struct dnn_isa {
    const char *name; /* "avx512", "avx2", "neon" or "generic" */
    const dnn_ops *f32, *f64;
} dnn_isa;

/* The i-th instruction set that this processor and operating system can run, the best
 * one first and "generic" last; NULL past the end. Static storage. */
const dnn_isa *dnn_isa_available(int i);

#endif
