"""The rules as data and pure functions: nothing here waits, or uses Trio or the operating system."""
