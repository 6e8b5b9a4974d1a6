/* Digests of what every operation of ops.h returns, for every instruction set that can run here:
 * lines `instruction-set operation type digest`. The same operation and type must have the same
 * digest everywhere, on any processor, from any compiler.
 *
 * Every array is a malloc of its documented size, so that AddressSanitizer sees an element too
 * many, and is NaN before it is written, so that a result made of something else is an error.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"
#include "team.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Astride the widths of vectors and tiles. */
static const ptrdiff_t ROWS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 33};
static const ptrdiff_t COLS[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
                                 15, 16, 17, 18, 19, 20, 31, 32, 33, 34, 64, 65, 100};
/* Beyond the blocks of rows of ops/, the last of which has one row or more, and those of columns in
 * layer_update. */
static const ptrdiff_t LONG[][2] = {{2, 2048}, {2, 2049}, {3, 4200}, {2049, 1}, {2060, 2},
                                    {300, 7},  {257, 8},  {137, 15}, {129, 16}};
static const ptrdiff_t LARGE[][3] = {{5, 3, 257}, {18, 4, 300}, {3, 300, 20}, {70, 20, 129}};

typedef struct {
    const char *isa, *operation;
    const dnn_ops *ops;
    size_t size; /* of an element: float or double */
    uint64_t random, digest;
    int nan_input;
    void *memory[64]; /* all that was allocated */
    int n_memory;
} context;

static void require(const context *t, int condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "%s %s f%d: %s\n", t->isa, t->operation, (int)t->size * 8, what);
    exit(1);
}

/* ------------------------------------------------------------------------------ arrays */

/* splitmix64 */
static uint64_t random_bits(context *t)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void *allocate(context *t, ptrdiff_t n, size_t size)
{
    /* No better aligned than an element need be. */
    size_t skip = random_bits(t) % 2 * size, bytes = skip + (size_t)n * size;
    char *memory = malloc(bytes);
    require(t, memory && t->n_memory < COUNT(t->memory), "no memory");
    memset(memory, 0xff, bytes);
    t->memory[t->n_memory++] = memory;
    return memory + skip;
}

static void release(context *t)
{
    while (t->n_memory) free(t->memory[--t->n_memory]);
}

static void *array(context *t, ptrdiff_t n)
{
    return allocate(t, n, t->size);
}

static void *at(const context *t, void *x, ptrdiff_t i)
{
    return (char *)x + i * (ptrdiff_t)t->size;
}

static void put(const context *t, void *x, ptrdiff_t i, double value)
{
    if (t->size == sizeof(float)) ((float *)x)[i] = (float)value;
    else ((double *)x)[i] = value;
}

static double get(const context *t, const void *x, ptrdiff_t i)
{
    return t->size == sizeof(float) ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void *copy(context *t, ptrdiff_t n, const void *x)
{
    return memcpy(array(t, n), x, (size_t)n * t->size);
}

static void *numbers(context *t, ptrdiff_t n, double low, double high)
{
    void *x = array(t, n);
    for (ptrdiff_t i = 0; i < n; i++)
        put(t, x, i, low + (high - low) * ((double)(random_bits(t) >> 11) * 0x1p-53));
    return x;
}

static ptrdiff_t *integers(context *t, ptrdiff_t n, ptrdiff_t below)
{
    ptrdiff_t *x = allocate(t, n, sizeof *x);
    for (ptrdiff_t i = 0; i < n; i++) x[i] = (ptrdiff_t)(random_bits(t) % (uint64_t)below);
    return x;
}

static double largest(const context *t)
{
    return t->size == sizeof(float) ? FLT_MAX : DBL_MAX;
}

/* Special numbers, then in turn any bits and numbers at which exp is neither 0 nor inf. */
static void *all_kinds(context *t, ptrdiff_t n)
{
    const int is_float = t->size == sizeof(float);
    const double tiny = is_float ? FLT_MIN : DBL_MIN, max = largest(t);
    const double least = tiny * (is_float ? FLT_EPSILON : DBL_EPSILON);
    const double special[] = {0, least, tiny - least, tiny, 1, max, INFINITY, NAN};
    const double range = is_float ? 110 : 750;
    void *x = numbers(t, n, -range, range);
    for (ptrdiff_t i = 0; i < n; i += 2) {
        uint64_t bits = random_bits(t);
        memcpy(at(t, x, i), &bits, t->size);
    }
    for (ptrdiff_t i = 0; i < n && i < 2 * COUNT(special); i++)
        put(t, x, i, i % 2 ? -special[i / 2] : special[i / 2]);
    t->nan_input = 1;
    return x;
}

/* FNV-1a. All NaN are one. */
static void digest_elements(context *t, ptrdiff_t n, const void *x, size_t size)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        unsigned char bytes[sizeof(double)];
        memcpy(bytes, (const char *)x + i * (ptrdiff_t)size, size);
        if (size == sizeof(float) ? isnan(((const float *)x)[i]) : isnan(((const double *)x)[i])) {
            require(t, t->nan_input, "NaN");
            memset(bytes, 0xff, size);
        }
        for (size_t b = 0; b < size; b++) t->digest = (t->digest ^ bytes[b]) * 0x100000001b3u;
    }
}

static void digest(context *t, ptrdiff_t n, const void *x)
{
    digest_elements(t, n, x, t->size);
}

static void require_same(const context *t, ptrdiff_t n, const void *x, const void *y,
                         const char *what)
{
    require(t, !memcmp(x, y, (size_t)n * t->size), what);
}

/* ------------------------------------------------------------------------------ shapes */

/* The s-th shape (rows, cols) of ROWS x COLS and LONG; 0 past the end. */
static int matrix_shape(int s, ptrdiff_t *rows, ptrdiff_t *cols)
{
    const int n = COUNT(ROWS) * COUNT(COLS);
    if (s >= n + COUNT(LONG)) return 0;
    *rows = s < n ? ROWS[s / COUNT(COLS)] : LONG[s - n][0];
    *cols = s < n ? COLS[s % COUNT(COLS)] : LONG[s - n][1];
    return 1;
}

/* The s-th shape (n, k, m) of LARGE and of some of ROWS x COLS x COLS, with each pair of n, k, m:
 * for one k or one m, the index of n takes steps that do not divide the length of ROWS. */
static int layer_shape(int s, ptrdiff_t *n, ptrdiff_t *k, ptrdiff_t *m)
{
    const int i = s % COUNT(COLS), j = s / COUNT(COLS), large = s - COUNT(COLS) * COUNT(COLS);
    if (large >= COUNT(LARGE)) return 0;
    *n = large < 0 ? ROWS[(i + 5 * j) % COUNT(ROWS)] : LARGE[large][0];
    *k = large < 0 ? COLS[i] : LARGE[large][1];
    *m = large < 0 ? COLS[j] : LARGE[large][2];
    return 1;
}

/* -------------------------------------------------------------------------- operations */

enum { N_ACTIVATIONS = DNN_RELU + 1 };

static void elementwise(context *t, int log)
{
    void (*f)(ptrdiff_t, const void *, void *) = log ? t->ops->log : t->ops->exp;
    for (int s = 0; s <= COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = s < COUNT(COLS) ? COLS[s] : 20000;
        void *x = all_kinds(t, n), *y = array(t, n);
        f(n, x, y);
        digest(t, n, y);
        f(n, x, x);
        digest(t, n, x);
    }
}

static void activate(context *t, int activation)
{
    for (int s = 0; s <= COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = s < COUNT(COLS) ? COLS[s] : 20000;
        void *z = all_kinds(t, n), *a = array(t, n);
        t->ops->activate(activation, n, z, a);
        digest(t, n, a);
        t->ops->activate(activation, n, z, z);
        digest(t, n, z);
    }
}

/* Outputs of an activation: half of them are 0 if it is RELU. */
static void *outputs(context *t, int activation, ptrdiff_t n)
{
    void *a = numbers(t, n, -3, 3);
    t->ops->activate(activation, n, a, a);
    return a;
}

static void activate_backward(context *t, int activation)
{
    for (int s = 0; s < COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = COLS[s];
        void *da = numbers(t, n, -2, 2), *a = outputs(t, activation, n), *dz = array(t, n);
        void *a_ = copy(t, n, a);
        t->ops->activate_backward(activation, n, da, a, dz);
        t->ops->activate_backward(activation, n, da, a_, a_);
        t->ops->activate_backward(activation, n, da, a, da);
        require_same(t, n, dz, a_, "not the same in place of a");
        require_same(t, n, dz, da, "not the same in place of da");
        digest(t, n, dz);
    }
}

static void bias(context *t, int activation)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *b = numbers(t, cols, -2, 2), *z = numbers(t, rows * cols, -9, 9);
        void *expected = copy(t, rows * cols, z);
        t->ops->add_bias(activation, rows, cols, b, z);
        t->ops->add_bias(DNN_IDENTITY, rows, cols, b, expected);
        t->ops->activate(activation, rows * cols, expected, expected);
        require_same(t, rows * cols, z, expected, "not the activation of the sum");
        digest(t, rows * cols, z);
    }
}

/* Largest relative error of sum_squares, and a margin for a sum in double in order. */
static double sum_error(const context *t, ptrdiff_t n)
{
    const ptrdiff_t lanes = DNN_LANE_BYTES / (ptrdiff_t)t->size;
    const ptrdiff_t depth = n < lanes ? n : n / lanes + 5;
    const double eps = t->size == sizeof(float) ? FLT_EPSILON : DBL_EPSILON;
    return (double)(depth + 1) / 2 * eps + (double)n * DBL_EPSILON;
}

static void sums(context *t, int squares)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *x = numbers(t, rows * cols, -2, 2), *out = array(t, cols);
        void *expected = numbers(t, cols, 0, 0);
        if (squares) {
            double sum = t->ops->sum_squares(rows * cols, x), exact = 0;
            for (ptrdiff_t i = 0; i < rows * cols; i++) exact += get(t, x, i) * get(t, x, i);
            require(t, fabs(sum - exact) <= sum_error(t, rows * cols) * exact, "not as ops.h says");
            digest_elements(t, 1, &sum, sizeof sum);
        } else {
            t->ops->column_sums(rows, cols, x, out);
            for (ptrdiff_t r = 0; r < rows; r++)
                t->ops->add_bias(DNN_IDENTITY, 1, cols, at(t, x, r * cols), expected);
            require_same(t, cols, out, expected, "not added in the order of the rows");
            digest(t, cols, out);
        }
    }
}

/* One number at a time is not finite; every length up to two turns of any loop and what is left. */
static void all_finite(context *t, int unused)
{
    (void)unused;
    const double other[] = {NAN, INFINITY, -INFINITY};
    for (ptrdiff_t n = 0; n <= 130; n++, release(t)) {
        void *x = numbers(t, n, -1, 1);
        require(t, t->ops->all_finite(n, x), "finite numbers");
        for (ptrdiff_t i = 0; i < n; i++) {
            for (int j = 0; j < COUNT(other); j++) {
                put(t, x, i, other[j]);
                require(t, !t->ops->all_finite(n, x), "NaN or infinity overlooked");
            }
            put(t, x, i, i % 3 ? largest(t) : -largest(t));
        }
        double finite = t->ops->all_finite(n, x);
        require(t, finite == 1, "the largest numbers");
        digest_elements(t, 1, &finite, sizeof finite);
    }
}

/* Indices go past 2^32. Two parts must not change a bit. */
static void dropout(context *t, int unused)
{
    (void)unused;
    static const struct {
        uint32_t below;
        double share;
    } drop[] = {{0, 0}, {(uint32_t)1 << 30, 0.25}, {(uint32_t)3 << 30, 0.75}, {UINT32_MAX, 1}};
    const double factor = 1.25; /* in double, the product with a float is exact */
    for (int s = 0; s < COUNT(COLS) + COUNT(drop); s++, release(t)) {
        ptrdiff_t n = s < COUNT(COLS) ? COLS[s] : 20000, dropped = 0;
        ptrdiff_t first = (ptrdiff_t)(s % 2 ? random_bits(t) >> 30 : UINT32_MAX - (uint64_t)n / 2);
        ptrdiff_t cut = *integers(t, 1, n + 1);
        const uint32_t key = (uint32_t)random_bits(t), below = drop[s % COUNT(drop)].below;
        void *x = numbers(t, n, 1, 2), *out = array(t, n), *parts = array(t, n);
        t->ops->dropout(key, below, factor, first, n, x, out);
        for (ptrdiff_t i = 0; i < n; i++) {
            double expected = get(t, out, i) == 0 ? 0 : get(t, x, i) * factor;
            require(t, get(t, out, i) == (t->size == sizeof(float) ? (float)expected : expected),
                    "neither 0 nor the product");
            dropped += expected == 0;
        }
        if (s >= COUNT(COLS))
            require(t, fabs((double)dropped / (double)n - drop[s % COUNT(drop)].share) < 0.02,
                    "not the share that is to be dropped");
        t->ops->dropout(key, below, factor, first + cut, n - cut, at(t, x, cut), at(t, parts, cut));
        t->ops->dropout(key, below, factor, first, cut, x, parts);
        require_same(t, n, out, parts, "not the same in two parts");
        t->ops->dropout(key, below, factor, first, n, x, x);
        require_same(t, n, out, x, "not the same in place");
        digest(t, n, out);
    }
}

enum { GATHER, NORM, NORM_BACKWARD };

/* By an index, and in order. */
static void rows_of_input(context *t, int which)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        ptrdiff_t fetchable = rows + rows / 2, *index = integers(t, fetchable, rows);
        void *x = numbers(t, rows * cols, -9, 9), *mean = numbers(t, cols, -1, 1);
        void *scale = numbers(t, cols, 0.5, 2), *out = array(t, rows * cols);
        void *gathered = array(t, rows * cols);
        t->ops->gather_rows(rows, cols, x, index, fetchable, gathered);
        if (which == GATHER) {
            for (ptrdiff_t r = 0; r < rows; r++)
                require_same(t, cols, at(t, gathered, r * cols), at(t, x, index[r] * cols),
                             "not the row of the index");
            t->ops->gather_rows(rows, cols, x, NULL, 0, out);
            require_same(t, rows * cols, out, x, "not the rows in order");
        } else if (which == NORM) {
            t->ops->norm(rows, cols, x, index, fetchable, mean, scale, out);
            t->ops->norm(rows, cols, gathered, NULL, 0, mean, scale, gathered);
            require_same(t, rows * cols, out, gathered, "not the norm of what is gathered");
        } else {
            t->ops->norm_backward(rows, cols, x, scale, out);
        }
        digest(t, rows * cols, out);
    }
}

/* Whole chunks first, then the rest, must not change a bit. */
static void moments(context *t, int missing)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        const size_t size = sizeof(double), bytes = (size_t)cols * size;
        void *x = numbers(t, rows * cols, -9, 9);
        double *weight = allocate(t, rows, size), *once[3], *twice[3];
        for (ptrdiff_t r = 0; r < rows; r++) weight[r] = (double)(random_bits(t) % 4) / 2;
        if (missing)
            for (ptrdiff_t i = 0; i < rows * cols; i += 1 + (ptrdiff_t)(random_bits(t) % 5))
                put(t, x, i, NAN);
        for (int i = 0; i < 3; i++) {
            once[i] = memset(allocate(t, cols, size), 0, bytes);
            twice[i] = memset(allocate(t, cols, size), 0, bytes);
        }
        const ptrdiff_t cut = rows / DNN_MOMENTS_ROWS * DNN_MOMENTS_ROWS;
        t->ops->add_moments(rows, cols, x, s % 2 ? weight : NULL, missing, once[0], once[1],
                            once[2]);
        t->ops->add_moments(cut, cols, x, s % 2 ? weight : NULL, missing, twice[0], twice[1],
                            twice[2]);
        t->ops->add_moments(rows - cut, cols, at(t, x, cut * cols), s % 2 ? weight + cut : NULL,
                            missing, twice[0], twice[1], twice[2]);
        for (int i = 0; i < 3; i++) {
            require(t, !memcmp(once[i], twice[i], bytes), "not the same in two parts");
            digest_elements(t, cols, once[i], size);
        }
    }
}

/* Every second matrix has logits whose difference overflows. */
static void *logits(context *t, ptrdiff_t n, int s)
{
    void *z = numbers(t, n, -20, 20);
    if (n && s % 2) put(t, z, 0, largest(t)), put(t, z, n - 1, -largest(t));
    return z;
}

static void softmax(context *t, int log)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *z = logits(t, rows * cols, s), *out = array(t, rows * cols);
        void *each = copy(t, rows * cols, z);
        void (*f)(ptrdiff_t, ptrdiff_t, const void *, void *) =
            log ? t->ops->log_softmax : t->ops->softmax;
        f(rows, cols, z, out);
        f(rows, cols, z, z);
        for (ptrdiff_t r = 0; r < rows; r++)
            f(1, cols, at(t, each, r * cols), at(t, each, r * cols));
        require_same(t, rows * cols, out, z, "not the same in place");
        require_same(t, rows * cols, out, each, "not the same row by row");
        digest(t, rows * cols, out);
    }
}

static void softmax_backward(context *t, int unused)
{
    (void)unused;
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *dp = numbers(t, rows * cols, -2, 2), *p = numbers(t, rows * cols, 0, 1);
        void *dz = array(t, rows * cols);
        t->ops->softmax_backward(rows, cols, dp, p, dz);
        digest(t, rows * cols, dz);
    }
}

enum { LOSS, LOSS_BACKWARD, LOSS_OF_LOGITS };

/* x: probabilities or logits. Row r of the arrays and those that follow. */
static void call_cross_entropy(context *t, int which, ptrdiff_t r, ptrdiff_t rows, ptrdiff_t cols,
                               void *x, const ptrdiff_t *label, void *L, void *weight, double *loss,
                               void *d)
{
    x = at(t, x, r * cols), d = at(t, d, r * cols), loss += r;
    if (label) label += r;
    if (L) L = at(t, L, r * cols);
    if (weight) weight = at(t, weight, r);
    if (which == LOSS_OF_LOGITS)
        t->ops->softmax_cross_entropy(rows, cols, x, label, L, 0.125, weight, loss, d);
    else if (which == LOSS_BACKWARD)
        t->ops->cross_entropy_backward(rows, cols, x, label, L, 0.125, weight, d);
    else
        t->ops->cross_entropy(rows, cols, x, label, L, 0.125, weight, loss);
}

/* With integer labels and with label rows in turn, and in turn with weights. Row by row and in
 * place there must be the same bits. */
static void cross_entropy(context *t, int which)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s / 4, &rows, &cols); s++, release(t)) {
        const ptrdiff_t size = rows * cols;
        ptrdiff_t *label = s & 1 ? integers(t, rows, cols) : NULL;
        void *L = s & 1 ? NULL : numbers(t, size, 0, 1);
        void *weight = s & 2 ? numbers(t, rows, 0, 2) : NULL;
        void *x = which == LOSS_OF_LOGITS ? logits(t, size, s / 4) : numbers(t, size, 0, 1);
        double *loss = allocate(t, rows, sizeof *loss), *loss_ = allocate(t, rows, sizeof *loss_);
        if (rows && which != LOSS_OF_LOGITS) put(t, x, 0, 0);
        void *d = array(t, size), *d_ = copy(t, size, x);
        call_cross_entropy(t, which, 0, rows, cols, x, label, L, weight, loss, d);
        for (ptrdiff_t r = 0; r < rows; r++)
            call_cross_entropy(t, which, r, 1, cols, d_, label, L, weight, loss_, d_);
        if (which != LOSS_BACKWARD) {
            require(t, !memcmp(loss, loss_, (size_t)rows * sizeof *loss), "not the loss by rows");
            digest_elements(t, rows, loss, sizeof *loss);
        }
        if (which != LOSS) {
            require_same(t, size, d, d_, "not the same row by row");
            digest(t, size, d);
        }
    }
}

/* In turn with weights, of which the last is 0. Row by row and in place there must be the same
 * bits. Losses are not negative, so that their sum in double is off by at most `cols` epsilons. */
static void elementwise_loss(context *t, int loss)
{
    const double delta = 5, scale = 0.125;
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s / 2, &rows, &cols); s++, release(t)) {
        const ptrdiff_t size = rows * cols;
        void *z = logits(t, size, s / 2), *Y = numbers(t, size, 0, 1);
        void *weight = s & 1 ? numbers(t, rows, 0, 2) : NULL;
        void *dz = array(t, size), *dz_ = copy(t, size, z);
        void *d = array(t, size), *expected = array(t, size);
        double *out = allocate(t, rows, sizeof *out), *out_ = allocate(t, rows, sizeof *out_);
        double *losses = allocate(t, size, sizeof *losses);
        if (weight && rows) put(t, weight, rows - 1, 0);
        for (ptrdiff_t i = 0; i < size; i += 3) put(t, Y, i, i % 2);
        t->ops->elementwise_loss(loss, delta, size, 1, z, Y, 1, NULL, losses, d);
        t->ops->elementwise_loss(loss, delta, rows, cols, z, Y, scale, weight, out, dz);
        for (ptrdiff_t r = 0; r < rows; r++) {
            void *row = at(t, dz_, r * cols);
            t->ops->elementwise_loss(loss, delta, 1, cols, row, at(t, Y, r * cols), scale,
                                     weight ? at(t, weight, r) : NULL, out_ + r, row);
            const double factor = weight ? scale * get(t, weight, r) : scale;
            const double rounded = t->size == sizeof(float) ? (float)factor : factor;
            double sum = 0;
            for (ptrdiff_t i = r * cols; i < (r + 1) * cols; i++) {
                sum += losses[i];
                put(t, expected, i, rounded * get(t, d, i));
            }
            sum = factor == 0 ? 0 : factor * sum;
            require(t, out[r] == sum || fabs(out[r] - sum) <= (double)cols * DBL_EPSILON * sum,
                    "not the sum over the outputs");
            require(t, t->size != sizeof(float) || isfinite(out[r]), "infinite, though in double");
        }
        require_same(t, size, dz, expected, "not the residual times the factor");
        require(t, !memcmp(out, out_, (size_t)rows * sizeof *out), "not the loss by rows");
        require_same(t, size, dz, dz_, "not the same row by row");
        digest_elements(t, rows, out, sizeof *out);
        digest(t, size, dz);
    }
}

static dnn_step step_of(dnn_update solver)
{
    return (dnn_step){solver, 0.01, 0.001, 0.9, 0.9, 0.999, 1e-8};
}

static void update(context *t, int solver)
{
    dnn_step step = step_of(solver);
    for (int s = 0; s < COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = COLS[s];
        void *g = numbers(t, n, -1, 1), *w = numbers(t, n, -1, 1);
        void *state1 = numbers(t, n, -1, 1), *state2 = numbers(t, n, 0, 1);
        t->ops->update(&step, step.decay, n, g, state1, state2, w);
        digest(t, n, w);
        digest(t, n, state1);
        digest(t, n, state2);
    }
}

static void *scratch_for(context *t, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m)
{
    return array(t, (ptrdiff_t)t->ops->layer_scratch(n, k, m));
}

/* out[r, c] = start[c] + sum over p of a[r, p] W[p, c], as one chain of multiply-adds. */
static void chains(const context *t, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a,
                   const void *W, const void *start, void *out)
{
    for (ptrdiff_t r = 0; r < n; r++)
        for (ptrdiff_t c = 0; c < m; c++) {
            double sum = get(t, start, c);
            for (ptrdiff_t p = 0; p < k; p++) {
                const double x = get(t, a, r * k + p), w = get(t, W, p * m + c);
                if (t->size == sizeof(double)) sum = fma(x, w, sum);
                else sum = fmaf((float)x, (float)w, (float)sum);
            }
            put(t, out, r * m + c, sum);
        }
}

/* With one activation after the other: they come after the product, which is checked here. */
static void layer_forward(context *t, int unused)
{
    (void)unused;
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        void *a = numbers(t, n * k, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *b = numbers(t, m, -1, 1), *out = array(t, n * m), *expected = array(t, n * m);
        void *scratch = scratch_for(t, n, k, m);
        t->ops->layer_forward(n, k, m, a, W, b, s % N_ACTIVATIONS, scratch, out);
        chains(t, n, k, m, a, W, b, expected);
        t->ops->activate(s % N_ACTIVATIONS, n * m, expected, expected);
        require_same(t, n * m, out, expected, "not the activation of the product");
        digest(t, n * m, out);
    }
}

/* Its bits are those of layer_forward, which is checked here. */
static void forward_packed(context *t, int unused)
{
    (void)unused;
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        if (!n) continue;
        const int activation = s % N_ACTIVATIONS;
        ptrdiff_t width = t->ops->packed_cols(m), ld_a = k + s % 3, ld_out = width + s % 2;
        void *a = numbers(t, (n - 1) * ld_a + k, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *b = numbers(t, m, -1, 1), *packed = array(t, k * width);
        void *rows = array(t, n * k), *expected = array(t, n * m);
        void *out = array(t, (n - 1) * ld_out + width);
        t->ops->pack_weights(k, m, W, packed);
        t->ops->forward_packed(n, k, m, a, ld_a, packed, b, activation, ld_out, out);
        for (ptrdiff_t r = 0; r < n; r++)
            memcpy(at(t, rows, r * k), at(t, a, r * ld_a), (size_t)k * t->size);
        t->ops->layer_forward(n, k, m, rows, W, b, activation, scratch_for(t, n, k, m), expected);
        for (ptrdiff_t r = 0; r < n; r++) {
            require_same(t, m, at(t, out, r * ld_out), at(t, expected, r * m), "not layer_forward");
            digest(t, m, at(t, out, r * ld_out));
        }
    }
}

/* As layer_forward. */
static void layer_delta(context *t, int unused)
{
    (void)unused;
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        const int activation = s % N_ACTIVATIONS;
        void *dz = numbers(t, n * m, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *a = outputs(t, activation, n * k), *scratch = scratch_for(t, n, k, m);
        void *out = array(t, n * k), *expected = array(t, n * k);
        t->ops->layer_delta(n, k, m, dz, W, a, activation, scratch, out);
        t->ops->layer_delta(n, k, m, dz, W, a, DNN_IDENTITY, scratch, expected);
        t->ops->activate_backward(activation, n * k, expected, a, expected);
        require_same(t, n * k, out, expected, "not the product times the slope");
        digest(t, n * k, out);
    }
}

/* All rows of W at once, and in two ranges, which must not change a bit. */
static void layer_update(context *t, int solver)
{
    dnn_step step = step_of(solver);
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        ptrdiff_t size = k * m, cut = s % (k + 1);
        void *a = numbers(t, n * k, -1, 1), *dz = numbers(t, n * m, -1, 1);
        void *W = numbers(t, size, -1, 1), *state1 = numbers(t, size, -1, 1);
        void *state2 = numbers(t, size, 0, 1), *scratch = scratch_for(t, n, k, m);
        void *W_ = copy(t, size, W), *state1_ = copy(t, size, state1);
        void *state2_ = copy(t, size, state2);
        t->ops->layer_update(&step, n, k, m, 0, k, a, dz, scratch, state1, state2, W);
        t->ops->layer_update(&step, n, k, m, cut, k, a, dz, scratch, state1_, state2_, W_);
        t->ops->layer_update(&step, n, k, m, 0, cut, a, dz, scratch, state1_, state2_, W_);
        require_same(t, size, W, W_, "not the same in two ranges");
        digest(t, size, W);
        digest(t, size, state1);
        digest(t, size, state2);
    }
}

/* ---------------------------------------------------------------------------- training */

enum { BATCH = 40, N_BATCHES = 12, N_THREADS = 3, N_LAYERS = 2 };

static const ptrdiff_t WIDTH[N_LAYERS + 1] = {7, 21, 5};

typedef struct {
    void *W, *b, *W1, *W2, *b1, *b2; /* ...1 and ...2 are the solver's state */
    void *out, *delta;
} layer;

typedef struct {
    context *t;
    int activation;
    void *X, *mean, *scale, *x, *db, *scratch[N_THREADS][N_LAYERS];
    ptrdiff_t *order, *label;
    double *loss;
    layer layers[N_LAYERS];
} training;

static void train_batch(const training *job, const dnn_step *step, ptrdiff_t first)
{
    const dnn_ops *ops = job->t->ops;
    const layer *hidden = &job->layers[0], *output = &job->layers[1];
    ops->norm(BATCH, WIDTH[0], job->X, job->order + first, BATCH * N_BATCHES - first, job->mean,
              job->scale, job->x);
    ops->layer_forward(BATCH, WIDTH[0], WIDTH[1], job->x, hidden->W, hidden->b,
                       job->activation, job->scratch[0][0], hidden->out);
    ops->layer_forward(BATCH, WIDTH[1], WIDTH[2], hidden->out, output->W, output->b,
                       DNN_IDENTITY, job->scratch[0][1], output->out);
    ops->softmax_cross_entropy(BATCH, WIDTH[2], output->out, job->label + first, NULL, 1.0 / BATCH,
                               NULL, job->loss + first, output->delta);
    ops->layer_delta(BATCH, WIDTH[1], WIDTH[2], output->delta, output->W, hidden->out,
                     job->activation, job->scratch[0][1], hidden->delta);
    for (int l = 0; l < N_LAYERS; l++) {
        const layer *at = &job->layers[l];
        ops->column_sums(BATCH, WIDTH[l + 1], at->delta, job->db);
        ops->update(step, 0.0, WIDTH[l + 1], job->db, at->b1, at->b2, at->b);
    }
}

static void train_in_thread(void *arg, dnn_team *team, int thread)
{
    const training *job = arg;
    const dnn_step step = step_of(DNN_ADAM);
    const int size = dnn_team_size(team);
    for (ptrdiff_t first = 0; first < BATCH * N_BATCHES; first += BATCH) {
        if (thread == 0) train_batch(job, &step, first);
        dnn_team_barrier(team);
        for (int l = 0; l < N_LAYERS; l++) {
            const layer *at = &job->layers[l];
            job->t->ops->layer_update(&step, BATCH, WIDTH[l], WIDTH[l + 1],
                                      thread * WIDTH[l] / size, (thread + 1) * WIDTH[l] / size,
                                      l ? job->layers[l - 1].out : job->x, at->delta,
                                      job->scratch[thread][l], at->W1, at->W2, at->W);
        }
        dnn_team_barrier(team);
    }
}

static void train(context *t, int activation)
{
    enum { SAMPLES = 50 };
    training job = {
        .t = t,
        .activation = activation,
        .X = numbers(t, SAMPLES * WIDTH[0], -3, 3),
        .mean = numbers(t, WIDTH[0], -1, 1),
        .scale = numbers(t, WIDTH[0], 0.5, 2),
        .x = array(t, BATCH * WIDTH[0]),
        .db = array(t, WIDTH[1]),
        .order = integers(t, BATCH * N_BATCHES, SAMPLES),
        .label = integers(t, BATCH * N_BATCHES, WIDTH[N_LAYERS]),
        .loss = allocate(t, BATCH * N_BATCHES, sizeof(double)),
    };
    for (int l = 0; l < N_LAYERS; l++) {
        ptrdiff_t k = WIDTH[l], m = WIDTH[l + 1];
        for (int thread = 0; thread < N_THREADS; thread++)
            job.scratch[thread][l] = scratch_for(t, BATCH, k, m);
        job.layers[l] = (layer){
            .W = numbers(t, k * m, -1, 1), .b = numbers(t, m, -1, 1),
            .W1 = numbers(t, k * m, 0, 0), .W2 = numbers(t, k * m, 0, 0),
            .b1 = numbers(t, m, 0, 0), .b2 = numbers(t, m, 0, 0),
            .out = array(t, BATCH * m), .delta = array(t, BATCH * m),
        };
    }
    dnn_team_run(N_THREADS, train_in_thread, &job);
    digest_elements(t, BATCH * N_BATCHES, job.loss, sizeof *job.loss);
    for (int l = 0; l < N_LAYERS; l++) {
        digest(t, WIDTH[l] * WIDTH[l + 1], job.layers[l].W);
        digest(t, WIDTH[l + 1], job.layers[l].b);
    }
    release(t);
}

/* -------------------------------------------------------------------------------- main */

static const struct {
    const char *name;
    void (*run)(context *t, int variant);
    int variant;
} OPERATIONS[] = {
    {"exp", elementwise, 0},
    {"log", elementwise, 1},
    {"activate_identity", activate, DNN_IDENTITY},
    {"activate_logistic", activate, DNN_LOGISTIC},
    {"activate_tanh", activate, DNN_TANH},
    {"activate_relu", activate, DNN_RELU},
    {"activate_backward_identity", activate_backward, DNN_IDENTITY},
    {"activate_backward_logistic", activate_backward, DNN_LOGISTIC},
    {"activate_backward_tanh", activate_backward, DNN_TANH},
    {"activate_backward_relu", activate_backward, DNN_RELU},
    {"add_bias_identity", bias, DNN_IDENTITY},
    {"add_bias_logistic", bias, DNN_LOGISTIC},
    {"add_bias_tanh", bias, DNN_TANH},
    {"add_bias_relu", bias, DNN_RELU},
    {"column_sums", sums, 0},
    {"sum_squares", sums, 1},
    {"all_finite", all_finite, 0},
    {"dropout", dropout, 0},
    {"gather_rows", rows_of_input, GATHER},
    {"norm", rows_of_input, NORM},
    {"norm_backward", rows_of_input, NORM_BACKWARD},
    {"add_moments", moments, 0},
    {"add_moments_missing", moments, 1},
    {"softmax", softmax, 0},
    {"log_softmax", softmax, 1},
    {"softmax_backward", softmax_backward, 0},
    {"cross_entropy", cross_entropy, LOSS},
    {"cross_entropy_backward", cross_entropy, LOSS_BACKWARD},
    {"softmax_cross_entropy", cross_entropy, LOSS_OF_LOGITS},
    {"binary_cross_entropy", elementwise_loss, DNN_BINARY_CROSS_ENTROPY},
    {"squared_error", elementwise_loss, DNN_SQUARED_ERROR},
    {"huber", elementwise_loss, DNN_HUBER},
    {"update_sgd", update, DNN_SGD},
    {"update_momentum", update, DNN_MOMENTUM},
    {"update_nesterov", update, DNN_NESTEROV},
    {"update_adam", update, DNN_ADAM},
    {"layer_forward", layer_forward, 0},
    {"forward_packed", forward_packed, 0},
    {"layer_delta", layer_delta, 0},
    {"layer_update_sgd", layer_update, DNN_SGD},
    {"layer_update_momentum", layer_update, DNN_MOMENTUM},
    {"layer_update_nesterov", layer_update, DNN_NESTEROV},
    {"layer_update_adam", layer_update, DNN_ADAM},
    {"train_logistic", train, DNN_LOGISTIC},
    {"train_tanh", train, DNN_TANH},
    {"train_relu", train, DNN_RELU},
};

int main(void)
{
    const dnn_isa *isa;
    for (int i = 0; (isa = dnn_isa_available(i)); i++) {
        for (int o = 0; o < COUNT(OPERATIONS); o++) {
            for (int is_double = 0; is_double < 2; is_double++) {
                context t = {
                    .isa = isa->name,
                    .operation = OPERATIONS[o].name,
                    .ops = is_double ? isa->f64 : isa->f32,
                    .size = is_double ? sizeof(double) : sizeof(float),
                    .digest = 0xcbf29ce484222325u,
                };
                OPERATIONS[o].run(&t, OPERATIONS[o].variant);
                printf("%s %s f%d %016" PRIx64 "\n", t.isa, t.operation, (int)t.size * 8, t.digest);
            }
        }
    }
    return 0;
}
