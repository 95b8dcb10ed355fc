"""Cheaper trainings: a whole, annealed schedule on fewer or on smaller images, for as much work as its budget's epochs would be.

A spec whose `by` is "images" or "size" trains for `whole_epochs` passes, as a whole training does, on the share `budget_epochs /
whole_epochs` of the training images (stratified, the same for every policy of a study, small parts within larger ones), or on all
of them with that share of their pixels (and is scored on validation images as small). One epoch of its budget is as much work as
an epoch of the whole, so that budgets stay comparable: after each it is scored. Refuses parts with too few images or pixels.
"""

import hashlib
import math
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from searchspaces.arrays import Images
from searchspaces.engines.resizing import resized, resized_side
from searchspaces.errors import BadInput
from trials.data import Split
from trials.data.joined import JoinedImages
from trials.data.stratified import stratified_parts
from trials.data.whole import WholeImages
from trials.seeds import derive_seed
from trials.values import TrialSpec

KINDS = ("epochs", "images", "size")
LEAST_A_CLASS = 2
SMALLEST_SIDE = 8
BLOCK_IMAGES = 1000


def check_cheaper(spec: TrialSpec) -> None:
    """BadInput for a spec that says no known way of being cheaper, or that it would be dearer."""
    if spec.by not in KINDS:
        raise BadInput(f"by: {spec.by!r}; allowed are {', '.join(KINDS)}")
    if spec.by != "epochs" and (spec.whole_epochs or 0) < spec.budget_epochs:
        raise BadInput(f"whole_epochs: {spec.whole_epochs}; allowed is a number from budget_epochs, {spec.budget_epochs}, up")


def share_of_whole(spec: TrialSpec) -> float:
    """The share of a whole training's work: of its images, or of their pixels; 1 where only the epochs are fewer."""
    return 1.0 if spec.by == "epochs" or spec.whole_epochs is None else spec.budget_epochs / spec.whole_epochs


def passes(spec: TrialSpec, epochs: int) -> int:
    """How many passes over its images the training has made after so many epochs of its budget."""
    if spec.by == "epochs" or spec.whole_epochs is None:
        return epochs
    return epochs * spec.whole_epochs // spec.budget_epochs


def passes_of(spec: TrialSpec, epoch: int) -> range:
    """The passes (numbered from 1) that are the budget's epoch of this number: at least one."""
    return range(passes(spec, epoch - 1) + 1, passes(spec, epoch) + 1)


def cheaper_parts(train: Split, held: Split, spec: TrialSpec) -> tuple[Split, Split]:
    """What is trained on and what scores, as the spec has it; the very ones given where only the epochs are fewer.

    BadInput where there would be too few images or pixels.
    """
    share = share_of_whole(spec)
    if share == 1:
        return train, held
    if spec.by == "images":
        return _fewer(train, share, spec.seed), held
    return _smaller(train, share), _smaller(held, share)


def check_enough(by: str, share: float, images: int, classes: int, height: int, width: int) -> None:
    """BadInput where a training by that share would have fewer than `LEAST_A_CLASS` images a class, or too few pixels."""
    if by == "images" and images_of(share, images) < LEAST_A_CLASS * classes:
        part = images_of(share, images)
        raise BadInput(
            f"early stopping by=images: its smallest part has {part} of {images} training images; allowed are {LEAST_A_CLASS} a"
            f" class, {LEAST_A_CLASS * classes}; give a larger min_epochs"
        )
    side = resized_side(min(height, width), math.sqrt(share))
    if by == "size" and side < SMALLEST_SIDE:
        raise BadInput(
            f"early stopping by=size: its smallest images have {side} pixels a side; allowed are {SMALLEST_SIDE} or more; give a"
            " larger min_epochs"
        )


def images_of(share: float, images: int) -> int:
    """How many images that share of so many is."""
    return math.floor(share * images + 0.5)


def _fewer(train: Split, share: float, seed: int) -> Split:
    """A stratified part, by the study's seed alone; no pixel is copied before it is asked for."""
    check_enough("images", share, len(train.labels), len(train.classes), *train.images.shape[2:])
    count, fixed = images_of(share, len(train.labels)), derive_seed(seed, "fewer images")
    (rows,) = stratified_parts(train.labels, (count,), (1,), fixed)
    images = cast("Images", JoinedImages([train.images], rows))
    whole = None if train.whole is None else WholeImages.joined([train.whole], rows)
    name = _name(train, f"{count} images {fixed}")
    return replace(train, images=images, labels=train.labels[rows], fingerprint=name, whole=whole)


def _smaller(split: Split, share: float) -> Split:
    """The images with that share of their pixels, antialiased, in memory for this training; whole ones are cut to as many."""
    resolution = math.sqrt(share)
    check_enough("size", share, len(split.labels), len(split.classes), *split.images.shape[2:])
    height, width = (resized_side(side, resolution) for side in split.images.shape[2:])
    small = np.empty((*split.images.shape[:2], height, width), dtype=np.uint8)
    for start in range(0, len(small), BLOCK_IMAGES):
        block = torch.from_numpy(np.array(split.images[start : start + BLOCK_IMAGES]))
        small[start : start + BLOCK_IMAGES] = resized(block, resolution).numpy()
    return replace(split, images=small, fingerprint=_name(split, f"{height} x {width}"))


def _name(split: Split, how: str) -> str:
    return hashlib.sha256(f"{split.fingerprint} {how}".encode()).hexdigest()
