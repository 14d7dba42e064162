"""Finds model files, checks their container and reads their metadata, without torch."""
