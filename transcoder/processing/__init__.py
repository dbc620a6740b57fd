"""The steps from an original's bytes to its variants; they run in image processes only."""
