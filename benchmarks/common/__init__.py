"""What several benchmarks share: paths, timed runs of `lmp`, tables, journals."""
