"""A program that runs already, and the relay that a browser starts in its place."""
