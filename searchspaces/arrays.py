"""Names for the arrays that flow, with their shapes; nothing is computed here."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Float64, Int16, Int64, UInt8
from torch import Tensor

ImageBatch: TypeAlias = UInt8[Tensor, "images channels height width"]
PerImage: TypeAlias = Float64[Tensor, "images"]
PerImageValues: TypeAlias = Float64[Tensor, "images parameters"]
PerImageSeeds: TypeAlias = Int64[Tensor, "images"]

PerChannel: TypeAlias = Float32[np.ndarray, "channels"]
Images: TypeAlias = UInt8[np.ndarray, "images channels height width"]
Labels: TypeAlias = Int64[np.ndarray, "images"]
PlanCodes: TypeAlias = Int16[np.ndarray, "images steps"]
PlanValues: TypeAlias = Float64[np.ndarray, "images steps parameters"]
PlanSeeds: TypeAlias = Int64[np.ndarray, "images steps"]
