"""What the generators share: processes, samplers, relaxation."""
