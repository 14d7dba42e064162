"""Glasses by melt and quench."""
