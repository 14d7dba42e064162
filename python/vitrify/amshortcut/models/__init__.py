"""The networks of amshortcut."""
