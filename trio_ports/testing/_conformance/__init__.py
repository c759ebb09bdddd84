"""The conformance kit for ports and browsers: stories and random histories, played beside a model of the rules."""
