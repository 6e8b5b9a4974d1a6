"""The trainer: its loop over epochs, solvers, schedules and history."""
