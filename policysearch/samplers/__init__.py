"""Which policy to try next. A sampler is asked with the study's history and a trial's number, and tells points of its space.

The built-in ones keep no state: their randomness derives from the study's seed and that number, so the same history gives the
same suggestion in any process. No policy is suggested twice in a study, whatever params lead to it. What each does:
docs/optimisers.md.
"""

from policysearch.samplers.choosing import SAMPLERS, make_sampler
from policysearch.samplers.tried import Points, Sampler, State, Tried, key_of

__all__ = ["SAMPLERS", "Points", "Sampler", "State", "Tried", "key_of", "make_sampler"]
