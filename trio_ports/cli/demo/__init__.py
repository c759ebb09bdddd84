"""`trio-ports demo`: the scenes of the documentation of runtime.Port, played by real ports.

The scenes (`scenes`) are written with the public API alone. What is told of them is what an observer saw: the stage
(`stage`) turns observations into steps (`steps`), and a teller (`tellers`) writes each one down, for people or for
programs.
"""
