"""A browser in one process: extensions, tabs, contexts, and who of them reaches whom."""
