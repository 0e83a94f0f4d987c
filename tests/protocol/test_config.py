"""What every protocol's settings have in common."""

from __future__ import annotations

import dataclasses

import pytest

from neurosim.checks import SettingError
from neurosim.protocol import ProtocolConfig


def test_settings_are_frozen_and_named():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ProtocolConfig().seed = 3
    with pytest.raises(TypeError):
        ProtocolConfig(3)


@pytest.mark.parametrize("settings", [{"seed": -1}, {"device": "tpu"}])
def test_bad_values_are_refused_under_the_protocols_own_class_name(settings):
    class Config(ProtocolConfig):
        pass

    with pytest.raises(SettingError, match=rf"Config\.{next(iter(settings))} must"):
        Config(**settings)


def test_only_protocols_that_say_so_take_a_gpu():
    class Anywhere(ProtocolConfig):
        devices = ("cpu", "gpu")

    assert Anywhere(device="gpu").device == "gpu"
    with pytest.raises(SettingError, match=r"ProtocolConfig\.device must be cpu; got 'gpu'\. This"):
        ProtocolConfig(device="gpu")


class OnDevice(ProtocolConfig):
    devices = ("cpu", "gpu")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exact(OnDevice):
    dtype: str = "float64"


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (OnDevice, {"products": "tf32"}, r"OnDevice\.products must be float32 on the CPU; got"),
        (
            Exact,
            {"products": "tf32", "device": "gpu"},
            r"Exact\.products must be float32 for float64",
        ),
        (OnDevice, {"products": "half"}, r"OnDevice\.products must be one of float32, tf32; got"),
    ],
)
def test_products_are_of_a_kind_that_there_is(kind, settings, message):
    assert OnDevice(products="tf32", device="gpu").products == "tf32"
    with pytest.raises(SettingError, match=message):
        kind(**settings)
