/* Training of a small network by several threads. */
#ifndef TRAINING_H
#define TRAINING_H

#include "layers.h"
#include "losses.h"
#include "team.h"

enum { BATCH = 40, N_BATCHES = 12, N_THREADS = 3, N_LAYERS = 2 };

static const ptrdiff_t WIDTH[N_LAYERS + 1] = {7, 21, 5};

typedef struct {
    void *W, *b, *W1, *W2, *b1, *b2; /* ...1 and ...2 are the solver's state */
    void *out, *delta;
    void *slope; /* NULL if the output gives it */
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
    dnn_step biases = *step;
    biases.decay = biases.shrink = 0;
    ops->norm(BATCH, WIDTH[0], job->X, job->order + first, BATCH * N_BATCHES - first, job->mean,
              job->scale, job->x);
    ops->layer_forward(BATCH, WIDTH[0], WIDTH[1], job->x, hidden->W, hidden->b,
                       job->activation, job->scratch[0][0], hidden->out, hidden->slope);
    ops->layer_forward(BATCH, WIDTH[1], WIDTH[2], hidden->out, output->W, output->b,
                       DNN_IDENTITY, job->scratch[0][1], output->out, NULL);
    ops->softmax_cross_entropy(BATCH, WIDTH[2], output->out, job->label + first, NULL, 1.0 / BATCH,
                               NULL, job->loss + first, output->delta);
    ops->layer_delta(BATCH, WIDTH[1], WIDTH[2], output->delta, output->W,
                     hidden->slope ? hidden->slope : hidden->out, job->activation,
                     job->scratch[0][1], hidden->delta);
    for (int l = 0; l < N_LAYERS; l++) {
        const layer *at = &job->layers[l];
        ops->column_sums(BATCH, WIDTH[l + 1], at->delta, job->db);
        ops->update(&biases, WIDTH[l + 1], job->db, at->b1, at->b2, at->b);
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
            .slope = slope_for(t, activation, BATCH * m),
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

#endif
