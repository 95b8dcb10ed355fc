"""Settings of every test: hypothesis repeats itself in CI and sets no deadline, because a busy machine is not a defect."""

import os

from hypothesis import settings

settings.register_profile("desk", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
