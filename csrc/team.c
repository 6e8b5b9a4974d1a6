#define _GNU_SOURCE
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

enum { MAX_THREADS = 256, SPINS_BEFORE_YIELD = 2000 };

/* A call may end before the scheduler has distributed its new threads over the processors; some
 * virtual machines even keep them on the processor of the caller. Each thread is therefore started
 * on a different processor, among those available to the caller, and may then be moved by the
 * scheduler. */
#ifdef __GLIBC__
typedef cpu_set_t processors;

static void find_processors(processors *allowed)
{
    CPU_ZERO(allowed);
    if (sched_getaffinity(0, sizeof *allowed, allowed)) CPU_ZERO(allowed);
}

/* Start on the n-th allowed processor, counted cyclically from the caller's, which is number 0. */
static void begin_on(pthread_attr_t *attributes, const processors *allowed, int n)
{
    const int count = CPU_COUNT(allowed);
    int cpu = sched_getcpu();
    cpu_set_t one;
    if (count < 2 || cpu < 0) return;
    for (n %= count; n > 0; n--)
        do cpu = (cpu + 1) % CPU_SETSIZE;
        while (!CPU_ISSET(cpu, allowed));
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_attr_setaffinity_np(attributes, sizeof one, &one);
}

static void allow_all(const processors *allowed)
{
    if (CPU_COUNT(allowed)) sched_setaffinity(0, sizeof *allowed, allowed);
}
#else
typedef int processors;
static void find_processors(processors *allowed) { *allowed = 0; }
static void begin_on(pthread_attr_t *attributes, const processors *allowed, int n)
{
    (void)attributes, (void)allowed, (void)n;
}
static void allow_all(const processors *allowed) { (void)allowed; }
#endif

/* Signals are left to the caller, which checks for Ctrl-C. On Windows, no thread of a team ever
 * receives one. */
#ifndef _WIN32
typedef sigset_t signals;

static void block_signals(signals *before)
{
    signals all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

static void restore_signals(const signals *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}
#else
typedef int signals;
static void block_signals(signals *before) { *before = 0; }
static void restore_signals(const signals *before) { (void)before; }
#endif

struct dnn_team {
    dnn_team_work work;
    void *arg;
    int size;
    processors allowed;
    pthread_mutex_t gate; /* held by the caller until `size` is known */
    /* The thread that arrives last starts the next round. On separate cache lines, because
     * waiting threads read `round` continuously. */
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
    for (int spins = 0; atomic_load_explicit(&team->round, memory_order_acquire) == round;
         spins++) {
        if (spins < SPINS_BEFORE_YIELD) relax();
        else sched_yield();
    }
}

static void *enter(void *member_)
{
    member *self = member_;
    dnn_team *team = self->team;
    allow_all(&team->allowed);
    pthread_mutex_lock(&team->gate);
    pthread_mutex_unlock(&team->gate);
    team->work(team->arg, team, self->thread);
    return NULL;
}

/* Starts the next thread of the team; returns whether this succeeded. */
static int start(pthread_t *thread, member *self, dnn_team *team)
{
    pthread_attr_t attributes;
    *self = (member){team, team->size};
    pthread_attr_init(&attributes);
    begin_on(&attributes, &team->allowed, team->size);
    int failed = pthread_create(thread, &attributes, enter, self);
    if (failed) failed = pthread_create(thread, NULL, enter, self); /* on any processor */
    pthread_attr_destroy(&attributes);
    return !failed;
}

void dnn_team_run(int n_threads, dnn_team_work work, void *arg)
{
    dnn_team team = {.work = work, .arg = arg, .size = 1};
    pthread_t threads[MAX_THREADS];
    member members[MAX_THREADS];
    signals before;

    if (n_threads > MAX_THREADS) n_threads = MAX_THREADS;
    if (n_threads > 1) {
        block_signals(&before);
        find_processors(&team.allowed);
        pthread_mutex_init(&team.gate, NULL);
        pthread_mutex_lock(&team.gate);
        while (team.size < n_threads) {
            if (!start(&threads[team.size], &members[team.size], &team)) break;
            team.size++;
        }
        pthread_mutex_unlock(&team.gate);
        restore_signals(&before);
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
