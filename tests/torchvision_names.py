"""What torchvision's augmentation classes call our ops, and our names for theirs."""

THEIR_NAMES = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "translate_x_px": "TranslateX",
    "translate_y_px": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "saturation": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
    "invert": "Invert",
}

OURS = {theirs: ours for ours, theirs in THEIR_NAMES.items() if not ours.endswith("_px")}
"""The other way round; of the translations, those in shares of the image."""
