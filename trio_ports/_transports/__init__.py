"""Transports: tasks that own the far end of a connection and carry its frames over something else."""
