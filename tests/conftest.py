"""Property tests repeat themselves and have no deadline: a busy machine is no reason to fail, nor is luck one to pass."""

from hypothesis import settings

settings.register_profile("full", deadline=None, derandomize=True)
settings.register_profile("everyday", deadline=None, derandomize=True, max_examples=25)
settings.register_profile("search", deadline=None, derandomize=False, max_examples=400)
settings.load_profile("full")
