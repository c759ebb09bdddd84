"""Native messaging, in rooms by side.

``started``       a program that a browser starts: its port, its standard output
``running``       a program that runs already, and the relay that a browser starts in its place
``browser_side``  what a browser does: find a manifest, start the program, judge how it ended
``installing``    write what browsers need to find a program, and remove it again

What several rooms need lies beside them: ``arguments``, ``registry``, ``programs``.
``ping_pong`` is an example.
"""
