"""Scores of runs and of translations on test sets."""
