"""Find a protocol: a name in the checkout's ``protocols`` folder, or a path to anyone's file."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import difflib
import functools
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from neurosim.backend import device_errors, products
from neurosim.checks import SettingError
from neurosim.protocol.config import ProtocolConfig
from neurosim.recording import Recorder, Run

Runs = Callable[[ProtocolConfig, Recorder], None]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A protocol that was found and loaded.

    Parameters
    ----------
    name : str
        Its file name without ``.py``.
    path : Path
        Its file, absolute.
    config : type
        Its ``Config``.
    run : callable
        ``run(config, recorder)``.
    plot : callable or None
        ``plot(run, path)``, where the protocol brings a figure of its own.
    """

    name: str
    path: Path
    config: type[ProtocolConfig]
    run: Runs
    plot: Callable[[Run, Path], None] | None

    @property
    def digest(self) -> str:
        """SHA-256 of the file, to notice later that it was edited."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def importable(self) -> contextlib.AbstractContextManager[None]:
        """Context in which the modules beside the file can be imported."""
        return _importable(self.path)


def folder() -> Path:
    """The ``protocols`` folder: of the checkout neurosim runs from, else of the current folder."""
    root = Path(__file__).resolve().parents[2]
    # Only a checkout has a project file there; an installed package has strangers as neighbours.
    home = root if (root / "pyproject.toml").is_file() else Path.cwd()
    return (home / "protocols").resolve()


def available() -> list[tuple[str, str]]:
    """List the protocols that can be run by name, without importing them.

    Returns
    -------
    list of (str, str)
        Name and first line of the docstring, sorted by name.
    """
    files = sorted(file for file in folder().glob("*.py") if not file.name.startswith("_"))
    return [(file.stem, _summary(file)) for file in files]


def find(name_or_path: str | Path) -> Protocol:
    """Load a protocol.

    Parameters
    ----------
    name_or_path : str or Path
        A name of `available`, or the path of a Python file: anything that ends in ``.py`` or
        contains a folder.

    Returns
    -------
    Protocol
        The loaded protocol; its module is registered in `sys.modules` under a name of its own.

    Raises
    ------
    SettingError
        If there is no such protocol, or the file cannot be imported or lacks ``Config`` or ``run``.
    """
    path = _locate(name_or_path)
    module = _load(path)
    config, run = getattr(module, "Config", None), getattr(module, "run", None)
    if not (
        isinstance(config, type)
        and issubclass(config, ProtocolConfig)
        and dataclasses.is_dataclass(config)
    ):
        raise SettingError(
            f"Protocol {path.name} must define Config, a frozen dataclass deriving from "
            f"neurosim.protocol.ProtocolConfig; got {config!r}."
        )
    if not callable(run):
        raise SettingError(
            f"Protocol {path.name} must define a function run(config, recorder); got {run!r}."
        )
    plot = getattr(module, "plot", None)
    computing = _computing(run, path.stem)
    return Protocol(name=path.stem, path=path, config=config, run=computing, plot=plot)


def _computing(run: Runs, name: str) -> Runs:
    """The protocol's function, with products as its settings ask and a GPU's errors in one line."""

    @functools.wraps(run)
    def computing(config: ProtocolConfig, recorder: Recorder) -> None:
        if config.device == "cpu":
            run(config, recorder)
            return
        remedy = "Choose smaller layers, batches or chunks, or fewer runs at a time."
        with device_errors(name, remedy), products(config.products):
            run(config, recorder)

    return computing


def _locate(name_or_path: str | Path) -> Path:
    path = Path(name_or_path).expanduser()
    if path.suffix == ".py" or path.name != str(name_or_path):
        if not path.is_file():
            raise SettingError(
                f"Protocol must be a Python file that exists; got {str(name_or_path)!r}. "
                "Check the path, or see the names in: neurosim list"
            )
        return path.resolve()
    names = [name for name, _ in available()]
    if path.name not in names:
        close = difflib.get_close_matches(path.name, names, n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        known = ", ".join(names) or f"none, for there is no {folder()}"
        raise SettingError(
            f"Protocol must be one that exists; got {path.name!r}. {hint}Known: {known}. "
            "Give the path of a .py file to run your own."
        )
    return folder() / f"{path.name}.py"


def _load(path: Path) -> ModuleType:
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"protocol_{path.stem}_{place}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SettingError(f"Protocol must be a Python file (.py); got {str(path)!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up here
    try:
        with _importable(path):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise SettingError(
            f"Protocol {path.name} must be importable; got {type(error).__name__}: "
            f"{_first_line(error)} ({_position(error, path)})."
        ) from error
    return module


@contextlib.contextmanager
def _importable(path: Path) -> Iterator[None]:
    # The checkout's protocols form a package beside `models`; a user's file has neighbours only.
    root = path.parent.parent if path.parent == folder() else path.parent
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the protocol may have rearranged the path itself
            sys.path.remove(str(root))


def _position(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"{path.name}:{frames[-1].lineno}" if frames else path.name


def _first_line(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return (text.strip().splitlines() or [""])[0]


def _summary(file: Path) -> str:
    try:
        docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    except (SyntaxError, UnicodeDecodeError) as error:
        return f"cannot be read: {error}"
    return (docstring or "(no description)").splitlines()[0]
