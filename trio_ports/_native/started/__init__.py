"""A program that a browser starts: its port, its arguments, its standard output."""
