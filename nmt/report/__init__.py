"""The report of a run: one page that tells its whole story, its short form, and curves in the terminal."""
