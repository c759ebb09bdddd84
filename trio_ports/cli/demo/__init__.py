"""`trio-ports demo`: the scenes of the documentation of runtime.Port, played by real ports.

The scenes (`scenes`) use the public API only. The output shows what an observer has seen:
the stage (`stage`) turns observations into steps (`steps`), and a teller (`tellers`)
writes each step, for people or for programs.
"""
