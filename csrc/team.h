/* A team of threads that lives for one call, and the barrier on which it meets.
 *
 * No thread outlives dnn_team_run, so a process that forks between calls is safe, and
 * nothing is kept for a whole process.
 */
#ifndef DNN_TEAM_H
#define DNN_TEAM_H

typedef struct dnn_team dnn_team;

/* Called once in every thread, with thread = 0 (the caller's own) to dnn_team_size - 1. */
typedef void (*dnn_team_work)(void *arg, dnn_team *team, int thread);

/* Runs work(arg, team, thread) in n_threads threads and returns when all have. Where the
 * system refuses threads, the team is smaller: ask dnn_team_size. Never fails. */
void dnn_team_run(int n_threads, dnn_team_work work, void *arg);

int dnn_team_size(const dnn_team *team);

/* Returns when every thread of the team has called it. What was written before it is
 * visible to all after it. Waits by spinning for some microseconds, then by giving the
 * processor away at every look. */
void dnn_team_barrier(dnn_team *team);

/* Seconds of a monotonic clock. */
double dnn_seconds(void);

#endif
