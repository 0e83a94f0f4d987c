"""Finding protocols by name and by path, and what is said when that fails."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from neurosim.checks import DeviceError, SettingError
from neurosim.protocol import ProtocolConfig, available, find
from neurosim.protocol import finding as module

GOOD = '''"""Do nothing at all.

In detail.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.protocol import ProtocolConfig


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    """Settings."""

    size: int = 3


def run(config, recorder):
    recorder.append(config.size)
'''


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A checkout's folder of protocols, with two of them."""
    home = tmp_path / "checkout" / "protocols"
    home.mkdir(parents=True)
    (home / "__init__.py").write_text("")
    (home / "nothing.py").write_text(GOOD)
    (home / "second.py").write_text(GOOD.replace("Do nothing", "Do something"))
    monkeypatch.setattr(module, "folder", lambda: home)
    return home


def write(tmp_path: Path, text: str, name: str = "mine.py") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def test_names_and_first_lines_are_listed_without_importing(folder):
    (folder / "broken.py").write_text('"""Cannot be imported."""\nimport no_such_module\n')
    (folder / "wrong.py").write_text("def (:\n")
    (folder / "bare.py").write_text("x = 1\n")
    listed = dict(available())
    assert list(listed) == ["bare", "broken", "nothing", "second", "wrong"]
    assert listed["nothing"] == "Do nothing at all."
    assert listed["broken"] == "Cannot be imported."
    assert listed["bare"] == "(no description)"
    assert listed["wrong"].startswith("cannot be read")


def test_the_checkout_has_protocols_that_load():
    for name, about in available():
        protocol = find(name)
        assert protocol.name == name
        assert issubclass(protocol.config, ProtocolConfig)
        assert about != "(no description)"
        protocol.config()  # every setting has a default


def test_a_name_is_found_in_the_folder(folder):
    protocol = find("second")
    assert protocol.path == folder / "second.py"
    assert protocol.config(size=4).size == 4
    assert protocol.plot is None
    taken: list[int] = []
    protocol.run(protocol.config(), taken)
    assert taken == [3]


def test_the_folder_of_the_current_directory_serves_an_installed_package(tmp_path, monkeypatch):
    site = tmp_path / "site-packages" / "neurosim" / "protocol" / "finding.py"
    monkeypatch.setattr(module, "__file__", str(site))
    (tmp_path / "site-packages" / "protocols").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert module.folder() == tmp_path.resolve() / "protocols"
    (tmp_path / "site-packages" / "pyproject.toml").touch()
    assert module.folder() == tmp_path.resolve() / "site-packages" / "protocols"


@pytest.mark.usefixtures("folder")
def test_a_users_file_anywhere_can_import_its_neighbours(tmp_path):
    write(tmp_path, "VALUE = 7\n", "neighbour_of_mine.py")
    lazy = GOOD.replace("    recorder.append", "    import late_neighbour\n    recorder.append")
    last = "from neurosim.protocol import ProtocolConfig\n"
    text = lazy.replace(last, last + "from neighbour_of_mine import VALUE\n")
    file = write(tmp_path, text.replace("= 3", "= VALUE"))
    path_before = list(sys.path)
    protocol = find(file)
    assert protocol.config().size == 7
    assert protocol.config.__module__ in sys.modules
    assert sys.path == path_before
    write(tmp_path, "", "late_neighbour.py")
    with protocol.importable():
        protocol.run(protocol.config(), [])
    assert sys.path == path_before


@pytest.mark.usefixtures("folder")
def test_files_of_one_name_in_two_folders_are_two_protocols(tmp_path):
    (tmp_path / "a").mkdir()
    one = find(write(tmp_path, GOOD))
    two = find(write(tmp_path / "a", GOOD.replace("size: int = 3", "size: int = 5")))
    assert (one.config().size, two.config().size) == (3, 5)
    assert one.digest != two.digest
    assert one.config.__module__ != two.config.__module__


@pytest.mark.usefixtures("folder")
def test_an_edited_file_is_loaded_anew(tmp_path):
    assert find(write(tmp_path, GOOD)).config().size == 3
    assert find(write(tmp_path, GOOD.replace("= 3", "= 11"))).config().size == 11


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("secnd", ["'secnd'", "Did you mean second?", "nothing, second"]),
        ("zzz", ["'zzz'", "Known: nothing, second."]),
        ("away/zzz.py", ["'away/zzz.py'"]),
        ("zzz.py", ["'zzz.py'"]),
    ],
)
@pytest.mark.usefixtures("folder")
def test_unknown_names_are_answered_with_the_known_ones(name, texts):
    with pytest.raises(SettingError) as caught:
        find(name)
    for text in texts:
        assert text in str(caught.value)
    assert ("Did you mean" in str(caught.value)) == (name == "secnd")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\n", "must define Config"),
        (GOOD.replace("class Config(ProtocolConfig)", "class Config"), "must define Config"),
        (GOOD.replace("def run", "def walk"), "must define a function run"),
        ("import os\n\nimport no_such_module\n", r"No module named 'no_such_module' \(mine.py:3\)"),
        ("x = 1\ny = (\n", r"SyntaxError: .*\(mine.py:2\)"),
        ("def f():\n    return 1 / 0\n\nf()\n", r"ZeroDivisionError.*\(mine.py:2\)"),
        ("import sys\nsys.exit(0)\n", r"SystemExit.*\(mine.py:2\)"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_file_that_is_no_protocol_is_explained_in_one_line(text, problem, tmp_path):
    modules_before = set(sys.modules)
    with pytest.raises(SettingError, match=problem) as caught:
        find(write(tmp_path, text))
    assert "\n" not in str(caught.value)
    if "must define" not in problem:
        assert not any(name.startswith("protocol_") for name in set(sys.modules) - modules_before)


@pytest.mark.usefixtures("folder")
def test_other_kinds_of_files_are_refused(tmp_path):
    with pytest.raises(SettingError, match=r"Python file \(\.py\)"):
        find(write(tmp_path, GOOD, "mine.txt"))
    with pytest.raises(SettingError, match="exists"):
        find(tmp_path)


FULL = GOOD.replace("recorder.append(config.size)", "recorder(config)").replace(
    "    size", '    devices = ("cpu", "gpu")\n    size'
)


@pytest.mark.usefixtures("folder")
def test_on_a_gpu_a_protocol_has_its_products_and_one_line_for_errors(tmp_path, monkeypatch):
    asked = []

    @contextmanager
    def products(kind):
        asked.append(kind)
        yield
        asked.append("over")

    class OutOfMemoryError(MemoryError):
        __module__ = "cupy.cuda.memory"

    def fill(config):
        raise OutOfMemoryError("Out of memory allocating 2,048 bytes")

    monkeypatch.setattr(module, "products", products)
    protocol = find(write(tmp_path, FULL))
    protocol.run(protocol.config(device="gpu", products="tf32"), lambda _: asked.append("run"))
    assert asked == ["tf32", "run", "over"]
    with pytest.raises(DeviceError, match=r"mine must fit into the GPU's memory; got .* 2 KiB.*"):
        protocol.run(protocol.config(device="gpu"), fill)
    with pytest.raises(OutOfMemoryError):
        protocol.run(protocol.config(), fill)
    assert asked == ["tf32", "run", "over", "float32"]
