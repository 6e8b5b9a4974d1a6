#define _GNU_SOURCE
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

enum { MAX_THREADS = 256, SPINS_BEFORE_YIELD = 2000 };

struct dnn_team {
    dnn_team_work work;
    void *arg;
    int size;
    pthread_mutex_t gate; /* held by the caller until `size` is known */
    /* The thread that arrives last starts the next round. Apart from the fields above,
     * because every waiting thread reads `round` all the time. */
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_uint round;
};

typedef struct {
    dnn_team *team;
    int thread;
} member;

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void dnn_team_barrier(dnn_team *team)
{
    if (team->size == 1) return;
    unsigned round = atomic_load_explicit(&team->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == team->size - 1) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&team->round, round + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&team->round, memory_order_acquire) == round; spins++) {
        if (spins < SPINS_BEFORE_YIELD) relax();
        else sched_yield();
    }
}

static void *enter(void *member_)
{
    member *self = member_;
    dnn_team *team = self->team;
    pthread_mutex_lock(&team->gate);
    pthread_mutex_unlock(&team->gate);
    team->work(team->arg, team, self->thread);
    return NULL;
}

void dnn_team_run(int n_threads, dnn_team_work work, void *arg)
{
    dnn_team team = {.work = work, .arg = arg, .size = 1};
    pthread_t threads[MAX_THREADS];
    member members[MAX_THREADS];
    sigset_t all, before;

    if (n_threads > MAX_THREADS) n_threads = MAX_THREADS;
    if (n_threads > 1) {
        /* Signals belong to the caller, which is the one to look for Ctrl-C. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_mutex_init(&team.gate, NULL);
        pthread_mutex_lock(&team.gate);
        while (team.size < n_threads) {
            members[team.size] = (member){&team, team.size};
            if (pthread_create(&threads[team.size], NULL, enter, &members[team.size])) break;
            team.size++;
        }
        pthread_mutex_unlock(&team.gate);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    work(arg, &team, 0);
    for (int i = 1; i < team.size; i++) pthread_join(threads[i], NULL);
    if (n_threads > 1) pthread_mutex_destroy(&team.gate);
}

int dnn_team_size(const dnn_team *team)
{
    return team->size;
}

double dnn_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
