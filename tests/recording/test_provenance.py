"""What a run file says about the GPU a run was made on."""

from types import SimpleNamespace

import pytest

from neurosim.backend import standing_in
from neurosim.recording import Recorder, Run
from neurosim.recording.provenance import provenance
from neurosim.testing import pretend_device

RUNTIME = SimpleNamespace(
    getDevice=lambda: 3,
    getDeviceProperties=lambda device: {"name": b"NVIDIA X%d" % device, "totalGlobalMem": 2**30},
    driverGetVersion=lambda: 12080,
    runtimeGetVersion=lambda: 12060,
)
CUPY = SimpleNamespace(cuda=SimpleNamespace(runtime=RUNTIME), __version__="14.0", ndarray=())


def test_a_run_on_a_gpu_names_it(tmp_path):
    options = {"protocol": "test", "settings": {}, "seed": 0, "device": "gpu"}
    with standing_in(CUPY), Recorder.create(tmp_path / "a.h5", **options) as recorder:
        recorder.begin()
        recorder.finish({}, {})
    with Run(tmp_path / "a.h5") as run:
        told = run.provenance["gpu"]
    assert told["name"] == "NVIDIA X3"
    assert (told["memory"], told["driver"], told["cuda"]) == (2**30, 12080, 12060)
    assert told["cupy"] == "14.0"


@pytest.mark.parametrize(("device", "told"), [("cpu", "absent"), ("gpu", None)])
def test_what_is_no_gpu_is_not_named(device, told):
    with pretend_device():
        assert provenance(device).get("gpu", "absent") == told
