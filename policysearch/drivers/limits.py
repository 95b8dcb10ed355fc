"""How long a trial may take before it is taken to hang. Holds the rule; workers and drivers see that it is kept."""

TIMES_THE_LONGEST = 10
# A trial may wait for the augmentation kernels to be compiled, half a minute on an idle machine, whatever the others took.
LEAST_LIMIT_SECONDS = 120.0


def usual_limit(longest_seconds: float | None) -> float | None:
    """Seconds that a trial may take where the longest finished one of its study took so many; None before one has finished."""
    return None if longest_seconds is None else max(LEAST_LIMIT_SECONDS, TIMES_THE_LONGEST * longest_seconds)
