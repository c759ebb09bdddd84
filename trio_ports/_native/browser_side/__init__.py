"""What a browser does: find a manifest, start the program, talk to it, judge how it ended."""
