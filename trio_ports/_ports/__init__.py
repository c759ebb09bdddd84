"""Ports: the two ends of a connection, and who runs their listeners."""
