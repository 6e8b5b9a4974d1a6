/* The barrier of a team of threads, with several teams at once. */
#ifndef TEAMS_H
#define TEAMS_H

#include <pthread.h>

#include "context.h"

enum { CELLS = 12, ROUNDS = 200, CALLERS = 3, MAX_TEAM = 8 };

/* A cellular automaton: each thread of a team has a part of the cells. */
typedef struct {
    uint64_t cells[2][CELLS]; /* of this round and of the next */
    int calls[MAX_TEAM];      /* of each thread */
} automaton;

static void run_automaton(void *arg, dnn_team *team, int thread)
{
    automaton *a = arg;
    const int size = dnn_team_size(team);
    a->calls[thread]++;
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t *now = a->cells[round % 2];
        uint64_t *next = a->cells[(round + 1) % 2];
        for (int c = thread * CELLS / size; c < (thread + 1) * CELLS / size; c++)
            next[c] = now[c] * 5 + (now[(c + 1) % CELLS] ^ now[(c + CELLS - 1) % CELLS] >> 7);
        dnn_team_barrier(team);
    }
}

static automaton automaton_of(const context *t)
{
    context random = *t;
    automaton a = {.calls = {0}};
    for (int c = 0; c < CELLS; c++) a.cells[0][c] = random_bits(&random);
    return a;
}

/* Teams of all sizes, one after another; those of other callers run at the same time. */
static void *call_teams(void *t)
{
    automaton expected = automaton_of(t);
    dnn_team_run(1, run_automaton, &expected);
    for (int size = 1; size <= MAX_TEAM; size++) {
        automaton a = automaton_of(t);
        int threads = 0;
        dnn_team_run(size, run_automaton, &a);
        while (threads < MAX_TEAM && a.calls[threads] == 1) threads++;
        for (int i = threads; i < MAX_TEAM; i++) require(t, !a.calls[i], "a thread ran twice");
        require(t, threads >= 1 && threads <= size, "not as many threads as wanted");
        require(t, !memcmp(a.cells, expected.cells, sizeof a.cells), "not as in one thread");
    }
    return NULL;
}

static void teams(context *t, int unused)
{
    (void)unused;
    pthread_t callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        require(t, !pthread_create(&callers[i], NULL, call_teams, t), "no thread");
    for (int i = 0; i < CALLERS; i++) pthread_join(callers[i], NULL);
    automaton a = automaton_of(t);
    dnn_team_run(MAX_TEAM, run_automaton, &a);
    t->nan_input = 1; /* the bits are those of no number */
    digest_elements(t, CELLS, a.cells[0], sizeof a.cells[0][0]);
}

#endif
