"""What every test gets without asking."""

from hypothesis import settings

# A deadline in milliseconds measures the machine; what a test may cost is limited by its number of examples.
settings.register_profile("trio_ports", parent=settings(), deadline=None)
settings.load_profile("trio_ports")
