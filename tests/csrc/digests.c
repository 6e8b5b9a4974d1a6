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
/* Beyond the blocks of ops_template.h and of matmul_template.h. */
static const ptrdiff_t WIDE[][2] = {{2, 2048}, {2, 2049}, {3, 4200}};
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

/* Special numbers, then in turn any bits and numbers at which exp is neither 0 nor inf. */
static void *all_kinds(context *t, ptrdiff_t n)
{
    const int is_float = t->size == sizeof(float);
    const double tiny = is_float ? FLT_MIN : DBL_MIN, max = is_float ? FLT_MAX : DBL_MAX;
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

/* The s-th shape (rows, cols) of ROWS x COLS and WIDE; 0 past the end. */
static int matrix_shape(int s, ptrdiff_t *rows, ptrdiff_t *cols)
{
    const int n = COUNT(ROWS) * COUNT(COLS);
    if (s >= n + COUNT(WIDE)) return 0;
    *rows = s < n ? ROWS[s / COUNT(COLS)] : WIDE[s - n][0];
    *cols = s < n ? COLS[s % COUNT(COLS)] : WIDE[s - n][1];
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

static void elementwise(context *t, int which)
{
    void (*const functions[])(ptrdiff_t, const void *, void *) = {t->ops->exp, t->ops->log,
                                                                  t->ops->sigmoid};
    for (int s = 0; s <= COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = s < COUNT(COLS) ? COLS[s] : 20000;
        void *x = all_kinds(t, n), *y = array(t, n);
        functions[which](n, x, y);
        digest(t, n, y);
        functions[which](n, x, x);
        digest(t, n, x);
    }
}

static void sigmoid_backward(context *t, int unused)
{
    (void)unused;
    for (int s = 0; s < COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = COLS[s];
        void *da = numbers(t, n, -2, 2), *a = numbers(t, n, 0, 1), *dz = array(t, n);
        t->ops->sigmoid_backward(n, da, a, dz);
        digest(t, n, dz);
    }
}

static void bias(context *t, int hidden)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *b = numbers(t, cols, -2, 2), *z = numbers(t, rows * cols, -9, 9);
        (hidden ? t->ops->add_bias_sigmoid : t->ops->add_bias)(rows, cols, b, z);
        digest(t, rows * cols, z);
    }
}

static void sums(context *t, int squares)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *x = numbers(t, rows * cols, -2, 2), *out = array(t, cols);
        if (squares) {
            double sum = t->ops->sum_squares(rows * cols, x);
            digest_elements(t, 1, &sum, sizeof sum);
        } else {
            t->ops->column_sums(rows, cols, x, out);
            digest(t, cols, out);
        }
    }
}

static void norm(context *t, int backward)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        ptrdiff_t fetchable = rows + rows / 2, *index = integers(t, fetchable, rows);
        void *x = numbers(t, rows * cols, -9, 9), *mean = numbers(t, cols, -1, 1);
        void *scale = numbers(t, cols, 0.5, 2), *out = array(t, rows * cols);
        if (backward) {
            t->ops->norm_backward(rows, cols, x, scale, out);
        } else {
            t->ops->norm(rows, cols, x, index, fetchable, NULL, NULL, out);
            digest(t, rows * cols, out);
            t->ops->norm(rows, cols, x, index, fetchable, mean, scale, out);
            digest(t, rows * cols, out);
            t->ops->norm(rows, cols, x, NULL, 0, mean, scale, out);
        }
        digest(t, rows * cols, out);
    }
}

/* Every second matrix has logits whose difference overflows. */
static void *logits(context *t, ptrdiff_t n, int s)
{
    void *z = numbers(t, n, -20, 20);
    const double max = t->size == sizeof(float) ? FLT_MAX : DBL_MAX;
    if (n && s % 2) put(t, z, 0, max), put(t, z, n - 1, -max);
    return z;
}

static void softmax(context *t, int log)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *z = logits(t, rows * cols, s), *out = array(t, rows * cols);
        void (*f)(ptrdiff_t, ptrdiff_t, const void *, void *) =
            log ? t->ops->log_softmax : t->ops->softmax;
        f(rows, cols, z, out);
        f(rows, cols, z, z);
        require_same(t, rows * cols, out, z, "not the same in place");
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

/* With integer labels and with label rows in turn, and in turn with weights. */
static void cross_entropy(context *t, int which)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s / 4, &rows, &cols); s++, release(t)) {
        ptrdiff_t *label = s & 1 ? integers(t, rows, cols) : NULL;
        void *L = s & 1 ? NULL : numbers(t, rows * cols, 0, 1);
        void *weight = s & 2 ? numbers(t, rows, 0, 2) : NULL;
        void *p = numbers(t, rows * cols, 0, 1), *d = array(t, rows * cols);
        double *loss = allocate(t, rows, sizeof *loss);
        if (rows) put(t, p, 0, 0);
        if (which == LOSS_OF_LOGITS)
            t->ops->softmax_cross_entropy(rows, cols, logits(t, rows * cols, s / 4), label, L, 0.125,
                                          weight, loss, d);
        else if (which == LOSS_BACKWARD)
            t->ops->cross_entropy_backward(rows, cols, p, label, L, 0.125, weight, d);
        else
            t->ops->cross_entropy(rows, cols, p, label, L, 0.125, weight, loss);
        if (which != LOSS_BACKWARD) digest_elements(t, rows, loss, sizeof *loss);
        if (which != LOSS) digest(t, rows * cols, d);
    }
}

static dnn_step step_of(int solver)
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

static void layer_forward(context *t, int hidden)
{
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        void *a = numbers(t, n * k, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *b = numbers(t, m, -1, 1), *out = array(t, n * m);
        t->ops->layer_forward(n, k, m, a, W, b, hidden, scratch_for(t, n, k, m), out);
        digest(t, n * m, out);
    }
}

/* Its bits are those of layer_forward, which is checked here. */
static void forward_packed(context *t, int hidden)
{
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        if (!n) continue;
        ptrdiff_t width = t->ops->packed_cols(m), ld_a = k + s % 3, ld_out = width + s % 2;
        void *a = numbers(t, (n - 1) * ld_a + k, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *b = numbers(t, m, -1, 1), *packed = array(t, k * width);
        void *rows = array(t, n * k), *expected = array(t, n * m);
        void *out = array(t, (n - 1) * ld_out + width);
        t->ops->pack_weights(k, m, W, packed);
        t->ops->forward_packed(n, k, m, a, ld_a, packed, b, hidden, ld_out, out);
        for (ptrdiff_t r = 0; r < n; r++)
            memcpy(at(t, rows, r * k), at(t, a, r * ld_a), (size_t)k * t->size);
        t->ops->layer_forward(n, k, m, rows, W, b, hidden, scratch_for(t, n, k, m), expected);
        for (ptrdiff_t r = 0; r < n; r++) {
            require_same(t, m, at(t, out, r * ld_out), at(t, expected, r * m), "not layer_forward");
            digest(t, m, at(t, out, r * ld_out));
        }
    }
}

static void layer_delta(context *t, int unused)
{
    (void)unused;
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        void *dz = numbers(t, n * m, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *a = numbers(t, n * k, 0, 1), *out = array(t, n * k);
        t->ops->layer_delta(n, k, m, dz, W, a, scratch_for(t, n, k, m), out);
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
    ops->layer_forward(BATCH, WIDTH[0], WIDTH[1], job->x, hidden->W, hidden->b, 1,
                       job->scratch[0][0], hidden->out);
    ops->layer_forward(BATCH, WIDTH[1], WIDTH[2], hidden->out, output->W, output->b, 0,
                       job->scratch[0][1], output->out);
    ops->softmax_cross_entropy(BATCH, WIDTH[2], output->out, job->label + first, NULL, 1.0 / BATCH,
                               NULL, job->loss + first, output->delta);
    ops->layer_delta(BATCH, WIDTH[1], WIDTH[2], output->delta, output->W, hidden->out,
                     job->scratch[0][1], hidden->delta);
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

static void train(context *t, int unused)
{
    (void)unused;
    enum { SAMPLES = 50 };
    training job = {
        .t = t,
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
    {"sigmoid", elementwise, 2},
    {"sigmoid_backward", sigmoid_backward, 0},
    {"add_bias", bias, 0},
    {"add_bias_sigmoid", bias, 1},
    {"column_sums", sums, 0},
    {"sum_squares", sums, 1},
    {"norm", norm, 0},
    {"norm_backward", norm, 1},
    {"softmax", softmax, 0},
    {"log_softmax", softmax, 1},
    {"softmax_backward", softmax_backward, 0},
    {"cross_entropy", cross_entropy, LOSS},
    {"cross_entropy_backward", cross_entropy, LOSS_BACKWARD},
    {"softmax_cross_entropy", cross_entropy, LOSS_OF_LOGITS},
    {"update_sgd", update, DNN_SGD},
    {"update_momentum", update, DNN_MOMENTUM},
    {"update_nesterov", update, DNN_NESTEROV},
    {"update_adam", update, DNN_ADAM},
    {"layer_forward", layer_forward, 0},
    {"layer_forward_hidden", layer_forward, 1},
    {"forward_packed", forward_packed, 0},
    {"forward_packed_hidden", forward_packed, 1},
    {"layer_delta", layer_delta, 0},
    {"layer_update_sgd", layer_update, DNN_SGD},
    {"layer_update_momentum", layer_update, DNN_MOMENTUM},
    {"layer_update_nesterov", layer_update, DNN_NESTEROV},
    {"layer_update_adam", layer_update, DNN_ADAM},
    {"train", train, 0},
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
                    .ops = is_double ? &isa->f64 : &isa->f32,
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
