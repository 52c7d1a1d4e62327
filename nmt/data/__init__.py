"""Text files, subwords, datasets and batches. Knows nothing of models."""
