"""What every other package builds on: errors, files, units, checks; no torch."""
