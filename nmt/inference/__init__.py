"""Search, translation of lines, and alignments."""
