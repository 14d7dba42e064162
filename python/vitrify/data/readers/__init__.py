"""Readers of users' files with atoms: one for each format, and one entrance, `vitrify.data.readers.read`."""
