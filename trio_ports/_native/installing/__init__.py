"""Writing what browsers need to find a program, and removing it again."""
