"""Players: each carries out a history on real ports and writes down what happens."""
