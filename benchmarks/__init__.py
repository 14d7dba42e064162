"""Measurements of what vitrify costs and finds; each script runs as `python -m benchmarks.FOLDER.NAME`."""
