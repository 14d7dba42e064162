"""The networks of ogn."""
