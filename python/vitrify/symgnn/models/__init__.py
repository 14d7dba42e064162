"""The networks of symgnn."""
