"""Compare what a player did with what the model did, name the broken rule, and write it for people."""
