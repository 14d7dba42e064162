"""Structures with properties for generators, and stepwise quenches."""
