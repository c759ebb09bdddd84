"""The command `trio-ports doctor`: why a browser cannot start a native application, or talk to it.

``environment``   what variables a browser gives to a program
``findings``      everything that can be wrong, as one table
``manifest``      what is wrong with the manifest
``conversation``  start the program as a browser does, and watch what it does
``outcome``       what is wrong with what it did
``examine``       all of that for one browser, in its order
``report``        the same for people and for programs
"""
