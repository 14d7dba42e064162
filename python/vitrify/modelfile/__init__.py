"""The model file seen from outside, without torch: finding it, checking its container, reading its metadata."""
