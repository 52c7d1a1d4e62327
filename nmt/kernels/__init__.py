"""What exists only for speed, each beside the plain computation that it replaces."""
