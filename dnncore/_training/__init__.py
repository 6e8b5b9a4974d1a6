"""The trainer: the loop over epochs, solvers, schedules and the history."""
