"""Play histories of ports in real browsers: a browser with player extensions in it, and a player of the kit's moves."""
