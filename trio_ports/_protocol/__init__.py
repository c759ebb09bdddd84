"""The rules, as pure data and functions: nothing here waits, and nothing here knows Trio or the operating system."""
