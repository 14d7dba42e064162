"""Figures, metrics.json and self-contained HTML reports."""
