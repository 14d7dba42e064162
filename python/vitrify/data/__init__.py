"""Reads and writes data files, and makes data sets for training of them."""
