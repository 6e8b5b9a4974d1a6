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

enum { DNN_LANE_BYTES = 64 };

typedef struct dnn_ops {
    /* y[i] = exp(x[i]), log(x[i]), 1 / (1 + exp(-x[i])). */
    void (*exp)(ptrdiff_t n, const void *x, void *y);
    void (*log)(ptrdiff_t n, const void *x, void *y);
    void (*sigmoid)(ptrdiff_t n, const void *x, void *y);
    /* dz = da * a * (1 - a). */
    void (*sigmoid_backward)(ptrdiff_t n, const void *da, const void *a, void *dz);

    /* z += b in every row; z = sigmoid(z + b) in every row. */
    void (*add_bias)(ptrdiff_t rows, ptrdiff_t cols, const void *b, void *z);
    void (*add_bias_sigmoid)(ptrdiff_t rows, ptrdiff_t cols, const void *b, void *z);
    /* out[c] = sum over r of x[r, c], added in the order of the rows. */
    void (*column_sums)(ptrdiff_t rows, ptrdiff_t cols, const void *x, void *out);
    /* Sum of x[i]^2. */
    double (*sum_squares)(ptrdiff_t n, const void *x);

    /* out[r] = (x[index[r]] - mean) / scale; index == NULL takes row r itself.
     * mean == NULL copies the rows. */
    void (*norm)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const ptrdiff_t *index,
                 const void *mean, const void *scale, void *out);
    /* dx = da / scale in every row. */
    void (*norm_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *da, const void *scale,
                          void *dx);

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

    /* Solver updates of n parameters w from the gradient g + decay * w.
     *   sgd:      w -= rate * g
     *   momentum: v = momentum * v - rate * g;  w += v
     *   nesterov: v = momentum * v - rate * g;  w += momentum * v - rate * g
     *   adam:     m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
     *             w -= rate * m / (sqrt(v) + epsilon), bias correction being in `rate` */
    void (*sgd)(ptrdiff_t n, double rate, double decay, const void *g, void *w);
    void (*momentum)(ptrdiff_t n, double rate, double decay, double momentum, const void *g,
                     void *v, void *w);
    void (*nesterov)(ptrdiff_t n, double rate, double decay, double momentum, const void *g,
                     void *v, void *w);
    void (*adam)(ptrdiff_t n, double rate, double decay, double beta1, double beta2,
                 double epsilon, const void *g, void *m, void *v, void *w);
} dnn_ops;

typedef struct dnn_isa {
    const char *name; /* "generic", "avx2" */
    dnn_ops f32, f64;
} dnn_isa;

/* The i-th instruction set that this processor and operating system can run, the best
 * one first and "generic" last; NULL past the end. Static storage. */
const dnn_isa *dnn_isa_available(int i);

#endif
