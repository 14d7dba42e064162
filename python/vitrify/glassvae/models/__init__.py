"""The networks of glassvae."""
