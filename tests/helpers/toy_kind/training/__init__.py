"""Training the toy."""
