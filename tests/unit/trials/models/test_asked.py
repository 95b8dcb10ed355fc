"""The grammar of a wish for a net: one text for one net, and a line that says what is allowed for all else."""

import pytest

from searchspaces.errors import BadInput
from trials.models import spoken_model
from trials.models.asked import GRAMMAR, read_model


@pytest.mark.parametrize(
    ("wish", "source", "name", "options"),
    [
        ("small", "built-in", "small", {}),
        ("resnet9:width=16,norm=group", "built-in", "resnet9", {"width": "16", "norm": "group"}),
        ("wrn-28-10", "built-in", "wideresnet-28", {"k": "10"}),
        ("wrn-40-2:norm=group", "built-in", "wideresnet-40", {"k": "2", "norm": "group"}),
        ("torchvision:resnet18", "torchvision", "resnet18", {}),
        ("torchvision:vit_b_16:image_size=64", "torchvision", "vit_b_16", {"image_size": "64"}),
        ("timm:resnet18.a1_in1k", "timm", "resnet18.a1_in1k", {}),
        ("nets:build", "own", "nets:build", {}),
        ("lab.nets:Builder.make:width=8", "own", "lab.nets:Builder.make", {"width": "8"}),
    ],
)
def test_what_is_read(wish: str, source: str, name: str, options: dict[str, str]) -> None:
    asked = read_model(wish)
    assert (asked.source, asked.name, dict(asked.options)) == (source, name, options)
    assert read_model(asked.text) == asked


@pytest.mark.parametrize(
    "wish", ["", ":", "torchvision", "torchvision:", "timm", "a:b:c:d", "a b:c", "nets:1build", "x\ny", "n" * 300]
)
def test_all_else_is_refused_with_the_grammar(wish: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_model(wish)
    assert GRAMMAR in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("wish", ["resnet9:width=", "resnet9:width=8,width=9", "resnet9:=8"])
def test_options_are_given_once_each_with_a_value(wish: str) -> None:
    with pytest.raises(BadInput, match="write options as"):
        read_model(wish)


@pytest.mark.parametrize(
    ("wish", "spoken"),
    [
        ("resnet9:width=64", "resnet9"),
        ("resnet9:norm=group,width=16", "resnet9:width=16,norm=group"),
        ("wrn-28-10", "wideresnet-28"),
        ("wrn-28-2:dropout=0", "wideresnet-28:k=2"),
        ("torchvision:resnet18", "torchvision:resnet18"),
    ],
)
def test_one_net_has_one_text(wish: str, spoken: str) -> None:
    assert spoken_model(wish) == spoken_model(spoken) == spoken


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("resnet8", "did you mean 'resnet9'.*known are resnet9, small, wideresnet-16.*torchvision:NAME, timm:NAME"),
        ("wrn-22-8", "did you mean 'wideresnet-28'"),
        ("resnet9:depth=9", "option depth: there is none; allowed are width, norm"),
        ("resnet9:width=3", "option width: '3'; allowed is a whole number from 4"),
        ("small:norm=layer", "option norm: 'layer'; allowed are batch, group"),
        ("wrn-28-2:dropout=1", "option dropout: '1'; allowed is a number from 0 to below 1"),
        ("torchvision:resnet19", "did you mean 'resnet18'"),
        ("timm:resnt18", "did you mean 'resnet18'"),
        ("no_such_module_anywhere:build", "can't be imported .*run this in its folder"),
        ("math:no_such_function", "math has no function no_such_function"),
    ],
)
def test_a_net_that_there_is_not_is_refused_with_those_there_are(wish: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        spoken_model(wish)
