"""Early stopping: when a trial of the search ends before its last epoch, and which trainings never do.

Refuses nothing. A score is always that of the last epoch that was trained, never the best one's: the lowest of many is flattered.
"""

from collections.abc import Sequence

from trials.values import Epoch, TrialSpec

STOPPING_SPLIT = "search"


def stops_after(spec: TrialSpec, epochs: Sequence[Epoch]) -> bool:
    """Whether the trial ends after these epochs, the last of which has just been scored: `patience_epochs` of the recipe have
    gone by without fewer images wrong than ever before.

    Only the search's own trials stop, on the search-validation part. Finalists ("select", "fold-I") and the models of the test
    ("all") are scored on other images, and those may not choose when their training ends: they train all epochs.
    """
    patience = spec.recipe.patience_epochs
    if not patience or spec.split != STOPPING_SPLIT or spec.budget_steps is not None:
        return False
    wrong = [epoch.wrong for epoch in epochs]
    return len(wrong) - 1 - wrong.index(min(wrong)) >= patience
