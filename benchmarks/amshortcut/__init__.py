"""AMShortcut: generated structures against simulated ones, and their cost."""
