"""The import order, file sizes and module docstrings of the house, enforced.

`violations` reads source files only; nothing is imported, so it sees every branch.
"""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_LINES = 300

# Lowest first; a module imports from strictly lower tiers, or from its own package.
TIERS = [
    {"checks", "machine_code"},
    {"backend"},
    {"seeds", "units", "progress", "interruption", "resources"},
    {"ops"},
    {"layers", "dynamics"},
    {"network"},
    {"objectives", "plasticity", "optimizers", "data"},
    {"recording"},
    {"streaming", "batched", "plotting", "analysis_tools"},
    {"comparison"},
    {"protocol"},
    {"sweep"},
    {"cli", "testing"},
    {"__init__", "__main__"},
]
TIER = {unit: tier for tier, units in enumerate(TIERS) for unit in units}
OUTSIDE = {
    "models": {"neurosim", "models"},
    "protocols": {"neurosim", "models", "protocols"},
    "analysis": {"neurosim", "analysis"},
}
SIMULATES = {"streaming", "batched"}  # what analysis may not touch
FORBIDDEN = {"torch", "jax", "tensorflow"}


def module_name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.Module, package: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line, absolute dotted target and whether it runs when the module is imported."""
    inside_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        at_import = id(node) not in inside_functions
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, at_import
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}", at_import


def unit_of(target: str) -> str:
    """Return the part of neurosim a dotted name belongs to; names of the root itself: __init__."""
    unit = target.split(".")[1] if "." in target else "__init__"
    return unit if unit in TIER else "__init__"


def forbidden_reason(module: str, target: str, at_import: bool) -> str | None:
    """Why ``module`` may not import ``target``, or None if it may."""
    home, package = module.split(".")[0], target.split(".")[0]
    if package in FORBIDDEN:
        return f"imports {package}"
    if package == "cupy" and at_import:
        return "imports cupy outside a function"
    if package not in {"neurosim", *OUTSIDE}:
        return None
    if home == "neurosim":
        if package != "neurosim":
            return f"imports {package}, which is not in the wheel"
        here, there = unit_of(module), unit_of(target)
        if here != there and TIER[there] >= TIER[here]:
            return f"imports {target}: {there} is not below {here}"
    elif package not in OUTSIDE[home]:
        return f"imports {package}"
    elif home == "analysis" and unit_of(target) in SIMULATES:
        return f"imports {target}: analysis never simulates"
    return None


def violations(root: Path) -> list[str]:
    """Return one line for every broken rule in the project below ``root``, in reading order."""
    paths = {
        module_name(root, path): path
        for home in ("neurosim", *OUTSIDE)
        for path in sorted((root / home).rglob("*.py"))
    }
    trees = {module: ast.parse(path.read_text()) for module, path in paths.items()}
    exported: dict[str, str] = {}  # names the root package re-exports -> where they come from
    for _, target, _ in imports(trees.get("neurosim", ast.Module([], [])), "neurosim"):
        exported[f"neurosim.{target.rpartition('.')[2]}"] = target
    found, graph = [], {module: set() for module in paths}
    for module, path in paths.items():
        where = path.relative_to(root).as_posix()
        if module.startswith("neurosim.") and (unit := module.split(".")[1]) not in TIER:
            found.append(f"{where}: {unit} has no tier")
        if ast.get_docstring(trees[module]) is None:
            found.append(f"{where}: has no docstring")
        if (lines := len(path.read_text().splitlines())) > MAX_LINES:
            found.append(f"{where}: has {lines} lines, more than {MAX_LINES}")
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for line, name, at_import in imports(trees[module], package):
            target = exported.get(name, name)
            if reason := forbidden_reason(module, target, at_import):
                found.append(f"{where}:{line}: {reason}")
                continue
            # `from package import name` names a module of the package or something defined in it.
            depends = target if target in paths else target.rpartition(".")[0]
            if depends in paths and depends != module:
                graph[module].add(depends)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append("cycle: " + " <- ".join(error.args[1]))
    return found


def test_the_project_keeps_its_rules():
    assert violations(ROOT) == []


@pytest.fixture
def house(tmp_path):
    """A small project that keeps every rule; tests then break one."""

    def write(name: str, code: str, docstring: str = '"""Documented."""\n') -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(docstring + code)
        return tmp_path

    write("neurosim/__init__.py", "from neurosim.streaming.simulator import Simulator\n")
    write("neurosim/checks.py", "import numpy\n")
    write("neurosim/ops/norm.py", "from neurosim.checks import require\n")
    write("neurosim/recording/run.py", "from neurosim.ops import norm\n")
    write("neurosim/streaming/simulator.py", "def gpu():\n    import cupy\n")
    write("models/mlp.py", "from neurosim import ops\n")
    write("protocols/quickstart.py", "from models.mlp import build\nimport neurosim\n")
    write("analysis/figure.py", "from neurosim.recording.run import Run\n")
    assert violations(tmp_path) == []
    return write


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("neurosim/checks.py", "import neurosim.ops.norm", "ops is not below checks"),
        ("neurosim/checks.py", "from neurosim import ops", "ops is not below checks"),
        ("neurosim/ops/norm.py", "from ..layers import dense", "layers is not below ops"),
        ("neurosim/ops/norm.py", "from ..streaming import simulator", "streaming is not below ops"),
        ("neurosim/ops/norm.py", "def f():\n    import neurosim.recording.run", "recording is not"),
        ("neurosim/checks.py", "from neurosim import Simulator", "streaming is not below checks"),
        ("neurosim/plasticity/a.py", "import neurosim.data.b", "is not below plasticity"),
        ("neurosim/checks.py", "import models.mlp", "models, which is not in the wheel"),
        ("neurosim/attic.py", "", "attic has no tier"),
        ("neurosim/checks.py", "import cupy", "imports cupy outside a function"),
        ("neurosim/checks.py", "def f():\n    from torch import nn", "imports torch"),
        ("protocols/bad.py", "import jax.numpy", "imports jax"),
        ("protocols/bad.py", "import analysis.figure", "imports analysis"),
        ("models/mlp.py", "import protocols.quickstart", "imports protocols"),
        ("analysis/bad.py", "import neurosim.streaming.simulator", "analysis never simulates"),
        ("analysis/bad.py", "from neurosim import Simulator", "analysis never simulates"),
        ("analysis/bad.py", "x = 1\n" * 301, "has 302 lines, more than 300"),
    ],
)
def test_a_broken_rule_is_found(house, name, code, reason):
    found = violations(house(name, code))
    assert len(found) == 1
    assert found[0].startswith(name)
    assert reason in found[0]


def test_a_missing_docstring_is_found(house):
    assert violations(house("neurosim/units.py", "s = 1", docstring="")) == [
        "neurosim/units.py: has no docstring"
    ]


def test_a_cycle_inside_a_package_is_found(house):
    house("neurosim/ops/a.py", "from neurosim.ops import b\n")
    found = violations(house("neurosim/ops/b.py", "from neurosim.ops import a\n"))
    assert len(found) == 1
    assert found[0].startswith("cycle: ")
