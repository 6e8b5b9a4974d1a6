/* Two copies of some data: readers use the current one while a writer writes the other.
 *
 * Copy number (version & 1) holds a version. Readers take no lock and write no shared memory, so
 * they cost two loads, and any number of them run at the same time. A reader that is so slow that
 * meanwhile a writer has begun to overwrite its copy, which takes a second write, finds out
 * afterwards and must read again. Writers exclude each other.
 */
#ifndef DNN_VERSIONS_H
#define DNN_VERSIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

typedef struct {
    atomic_size_t current; /* the version that readers use */
    atomic_size_t begun;   /* the latest version that a writer has begun to write */
    pthread_mutex_t writing;
} dnn_versions;

/* Makes version 0, in copy 0, the current one. Returns 0, or an error number. */
static inline int dnn_versions_init(dnn_versions *v)
{
    atomic_init(&v->current, 0);
    atomic_init(&v->begun, 0);
    return pthread_mutex_init(&v->writing, NULL);
}

static inline void dnn_versions_destroy(dnn_versions *v)
{
    pthread_mutex_destroy(&v->writing);
}

/* Returns the version to read. */
static inline size_t dnn_versions_current(dnn_versions *v)
{
    return atomic_load_explicit(&v->current, memory_order_acquire);
}

/* Returns whether everything that was read of a version since dnn_versions_current is valid.
 * With the fence of dnn_versions_begin: a reader that has read anything of version + 2 sees that
 * it has begun. */
static inline int dnn_versions_valid(dnn_versions *v, size_t version)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&v->begun, memory_order_relaxed) - version < 2;
}

/* Keeps writers out until dnn_versions_unlock, so that the current version remains valid. */
static inline void dnn_versions_lock(dnn_versions *v)
{
    pthread_mutex_lock(&v->writing);
}

static inline void dnn_versions_unlock(dnn_versions *v)
{
    pthread_mutex_unlock(&v->writing);
}

/* Waits for other writers, and returns the version to write. */
static inline size_t dnn_versions_begin(dnn_versions *v)
{
    dnn_versions_lock(v);
    size_t version = atomic_load_explicit(&v->current, memory_order_relaxed) + 1;
    atomic_store_explicit(&v->begun, version, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    return version;
}

/* Ends what dnn_versions_begin began; if `success`, the version becomes the current one. */
static inline void dnn_versions_end(dnn_versions *v, size_t version, int success)
{
    if (success) atomic_store_explicit(&v->current, version, memory_order_release);
    dnn_versions_unlock(v);
}

#endif
