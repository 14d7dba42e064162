"""OGN: the parts of `benchmarks/ogn_vs_md.py`, and the loss at every stride."""
