"""Native messaging: programs that a browser starts, and whoever starts them as a browser would."""
