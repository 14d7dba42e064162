"""AMShortcut: a generator of structures that is conditioned on properties and needs few steps."""
