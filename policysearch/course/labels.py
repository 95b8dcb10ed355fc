"""What keeps labels, looked at once by the plainest baseline's net; where the user wished it, the space is cut to that.

`policysearch.trimming` has the rule, and notes what it found as facts of the study: one that goes on has the same space.
"""

from policysearch.course.course import Course
from policysearch.course.restoring import restore_weights
from policysearch.drivers import Event
from policysearch.trimming import check_labels

FACT = "labels"
LOOKING = "looking at which strengths of which ops keep the labels"


def look_at_labels(course: Course) -> None:
    """Look unless an earlier run has; `course.setting` is what the study goes on with. Needs the plainest baseline trained."""
    if course.setting.objective is not None or course.prepared is None or course.stopped is not None:
        return
    label = next(iter(course.setting.baselines))
    plainest = next((trial for trial in course.trained("baseline") if trial.label == label), None)
    if plainest is None or plainest.result is None or plainest.result.status == "failed":
        course.note(f"labels: what keeps them can't be looked at, for {label} has failed")
        return
    if FACT not in course.ledger.facts(course.record.uid):
        course.listener(Event("note", text=LOOKING))
        restore_weights(plainest, course.setting, course.weights, course.listener)
    path = course.weights.path(plainest.trial_uid)

    def heard(done: int, of: int) -> None:
        course.listener(Event("progress", epoch=done, total=of, text=LOOKING))

    known = (course.ledger, course.record, course.setting, path, course.study.trim, course.prepared)
    course.setting, notes = check_labels(*known, heard)
    for note in notes:
        course.note(note)
