"""Augmentations: random changes of the rows of each training batch, inside the compiled step."""

from skdeep.augmentations.composite import Chain, FunctionAugmentation
from skdeep.augmentations.images import RandomCrop, RandomFlip
from skdeep.augmentations.mixing import CutMix, Mixup
from skdeep.augmentations.noise import GaussianNoise

__all__ = ["Chain", "CutMix", "FunctionAugmentation", "GaussianNoise", "Mixup", "RandomCrop", "RandomFlip"]
