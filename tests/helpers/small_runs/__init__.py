"""Folders of small training runs of every kind, made in seconds."""
