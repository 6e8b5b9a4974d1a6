/* A team of threads that exists for one call, and its barrier.
 *
 * No thread outlives dnn_team_run. Processes can therefore fork between calls, and there is no
 * process-wide state.
 */
#ifndef DNN_TEAM_H
#define DNN_TEAM_H

typedef struct dnn_team dnn_team;

/* Called once in every thread, with thread = 0 (the calling thread) to dnn_team_size - 1. */
typedef void (*dnn_team_work)(void *arg, dnn_team *team, int thread);

/* Runs work(arg, team, thread) in n_threads threads, and returns when all have finished. If the
 * system cannot create all threads, the team is smaller; see dnn_team_size. Never fails. */
void dnn_team_run(int n_threads, dnn_team_work work, void *arg);

int dnn_team_size(const dnn_team *team);

/* Returns when every thread of the team has called it. Memory written before the barrier is
 * visible to all threads after it. Spins for a few microseconds, then yields the processor after
 * every check. */
void dnn_team_barrier(dnn_team *team);

/* Returns the time of a monotonic clock in seconds. */
double dnn_seconds(void);

#endif
