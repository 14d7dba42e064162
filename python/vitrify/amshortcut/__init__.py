"""AMShortcut: a generator of structures with requested properties, which needs few steps."""
