"""The layout of the source, held to what CONTRIBUTING.md says: layers, file length, and what may never be called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "equipoise"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LONGEST_FILE = 400

# From the bottom up. A module imports from layers before its own, and from its own part.
LAYERS = (
    ("errors",),
    ("old_names",),
    ("shapes", "files", "randomness", "parts", "limits", "migrations", "locking", "entries"),
    ("documents",),
    ("spaces", "runfolder", "run_requests", "distributed"),
    ("plotting",),
    ("objectives", "penalties", "networks", "augmentation", "optimizers", "data"),
    ("features",),
    ("metrics",),
    ("game", "referee"),
    ("lab",),
    ("training", "reports", "export"),
    ("experiment",),
    ("live",),
    ("playground",),
    ("cli",),
)
HEIGHT = {part: height for height, parts in enumerate(LAYERS) for part in parts}
# The package itself and `python -m equipoise` stand above everything.
TOP = ("__init__", "__main__")
PARTS_OF_A_GAME = {"objectives", "penalties", "networks", "augmentation", "optimizers", "data", "game", "training"}
KNOWS_EVERY_PART = ("experiment/build/", "__init__.py")

FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}
FORBIDDEN_CALLS = {
    "eval": "it runs code",
    "exec": "it runs code",
    "yaml.load": "it builds arbitrary objects; use yaml.safe_load",
    "yaml.load_all": "it builds arbitrary objects; use yaml.safe_load_all",
    "yaml.full_load": "it builds more than plain values; use yaml.safe_load",
    "yaml.unsafe_load": "it builds arbitrary objects; use yaml.safe_load",
    "yaml.unsafe_load_all": "it builds arbitrary objects; use yaml.safe_load_all",
    "__import__": "it runs code; names of modules go through experiment/build/named.py",
    "pd.read_pickle": "a pickle runs code",
    "pandas.read_pickle": "a pickle runs code",
    "torch.jit.load": "it runs what the file says",
    "torch.hub.load": "it downloads and runs code",
    "np.loads": "a pickle runs code",
    "torch.save": "it writes a pickle; use safetensors",
}


def source_files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def part_of(path: Path) -> str:
    """The layer's part that a file belongs to: its folder, or its own name at the top."""
    relative = path.relative_to(SOURCE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_modules(tree: ast.AST, path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every `equipoise` module that a file imports, inside functions too."""
    package = ("equipoise", *path.relative_to(SOURCE).parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "equipoise":
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                kept = package[: len(package) - node.level + 1]
                base = ".".join((*kept, *(node.module.split(".") if node.module else ())))
            else:
                base = node.module or ""
            if base == "equipoise":
                for alias in node.names:
                    yield node.lineno, f"equipoise.{alias.name}"
            elif base.startswith("equipoise."):
                yield node.lineno, base


def imported_parts(path: Path) -> Iterator[tuple[int, str]]:
    for line, module in imported_modules(ast.parse(path.read_text(encoding="utf-8")), path):
        pieces = module.split(".")
        yield line, pieces[1] if len(pieces) > 1 else "__init__"


def called_name(call: ast.Call) -> str:
    """`module.function` or `function` as written, or '' for anything longer."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return ""


def keyword_is_true(call: ast.Call, name: str) -> bool:
    return any(
        keyword.arg == name and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for keyword in call.keywords
    )


def keyword_is_false(call: ast.Call, name: str) -> bool:
    return any(
        keyword.arg == name and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in call.keywords
    )


def upward_imports(path: Path) -> list[str]:
    part = part_of(path)
    if part in TOP:
        return []
    faults = []
    for line, imported in imported_parts(path):
        if imported in (part, "__version__"):
            continue
        if imported == "__init__":
            faults.append(f"{name_of(path)}:{line} imports the package's face, which stands above it")
        elif imported not in HEIGHT:
            faults.append(f"{name_of(path)}:{line} imports equipoise.{imported}, which stands in no layer")
        elif HEIGHT[imported] >= HEIGHT[part]:
            faults.append(f"{name_of(path)}:{line} ({part}) imports {imported}, which is not below it")
    return faults


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_imports_only_point_down(path):
    assert not upward_imports(path)


def module_of(path: Path) -> str:
    parts = ("equipoise", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """Which modules each module imports by name: at its head, inside functions, and for types alone."""
    modules = {module_of(path): path for path in source_files()}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        bases = {module for _, module in imported_modules(tree, path)}
        members = {
            f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module and not node.level
            for alias in node.names
        }
        found = (bases | members) & modules.keys()
        # `from package import module` needs the module; a package's own face imports what is below it.
        graph[name] = {
            module for module in found if not any(other.startswith(f"{module}.") for other in found & members)
        }
    return graph


def import_circles(graph: dict[str, set[str]]) -> list[str]:
    """A sentence for each module that is reached from itself."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += graph.get(module, ())
        return seen

    return [f"{module} imports itself through {sorted(graph[module])}" for module in graph if module in reached(module)]


def test_no_module_imports_itself_through_others_not_even_for_types():
    assert not import_circles(import_graph())


def test_a_circle_of_imports_is_noticed():
    assert import_circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [
        "a imports itself through ['b']",
        "b imports itself through ['c']",
        "c imports itself through ['a']",
    ]


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_every_file_belongs_to_a_layer(path):
    part = part_of(path)
    assert part in HEIGHT or part in TOP, f"{name_of(path)}: give '{part}' its place in LAYERS"


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_no_file_is_longer_than_400_lines(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{name_of(path)} has {lines} lines: split it by idea"


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_only_build_knows_every_part(path):
    if name_of(path).startswith(KNOWS_EVERY_PART):
        return
    known = {part for _, part in imported_parts(path)} & PARTS_OF_A_GAME
    assert known != PARTS_OF_A_GAME, f"{name_of(path)} imports every part; that is what experiment/build/ is for"


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_nothing_loads_or_writes_a_format_that_can_run_code(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    faults = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            faults += [f"line {node.lineno}: {a.name}" for a in node.names if a.name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            faults.append(f"line {node.lineno}: {node.module}")
        elif isinstance(node, ast.Call):
            name = called_name(node)
            if name in FORBIDDEN_CALLS:
                faults.append(f"line {node.lineno}: {name}: {FORBIDDEN_CALLS[name]}")
            if name == "torch.load" and not keyword_is_true(node, "weights_only"):
                faults.append(f"line {node.lineno}: torch.load without weights_only=True runs what the file says")
            if name in ("np.load", "numpy.load") and not keyword_is_false(node, "allow_pickle"):
                faults.append(f"line {node.lineno}: np.load without allow_pickle=False, whatever its default is")
            if name in ("Image.open", "pillow.open") and not any(keyword.arg == "formats" for keyword in node.keywords):
                faults.append(f"line {node.lineno}: Image.open without formats: some of them start programs")
            if keyword_is_true(node, "allow_pickle"):
                faults.append(f"line {node.lineno}: allow_pickle=True runs what the file says")
    assert not faults, f"{name_of(path)}: {faults}"


def test_test_files_have_names_of_their_own():
    # pytest imports them by their base name: two files called test_judge.py could not both be collected.
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)


def test_the_layers_name_only_parts_that_exist():
    existing = {part_of(path) for path in source_files()}
    assert existing - set(TOP) <= set(HEIGHT)


def test_the_map_for_contributors_is_the_one_above():
    rows = re.findall(r"^\| (`[^|]*`) \| [^|]* \|$", CONTRIBUTING.split("## Add a part")[0], flags=re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == [set(parts) for parts in reversed(LAYERS)]


def test_contributors_are_told_of_every_kind_of_part_that_is_found_by_itself():
    guide = (ROOT / "docs" / "guides" / "parts.md").read_text(encoding="utf-8")
    tables = {
        table
        for path in source_files()
        for table in re.findall(r"""(?:discover|Parts)\([^\n]*?"([A-Z]+)"[,)]""", path.read_text(encoding="utf-8"))
    }
    assert len(tables) > 8
    for page in (CONTRIBUTING, guide):
        assert {table for table in tables if f"`{table} = " not in page} == set()
        for package in re.findall(r"^\|[^|]*\| `([\w/]+)/<name>\.py` \|", page, flags=re.MULTILINE):
            assert (SOURCE / package).is_dir(), package


def test_the_rules_above_notice_what_they_forbid():
    path = SOURCE / "objectives" / "example.py"
    tree = ast.parse("from equipoise.game import step\nfrom ..penalties import base\nimport equipoise.errors\n")
    assert [module for _, module in imported_modules(tree, path)] == [
        "equipoise.game",
        "equipoise.penalties",
        "equipoise.errors",
    ]
    call = ast.parse("yaml.load(text)").body[0].value
    assert called_name(call) in FORBIDDEN_CALLS
    assert not keyword_is_true(ast.parse("torch.load(path, weights_only=False)").body[0].value, "weights_only")


def test_logits_with_two_axes_are_refused_while_tests_run():
    import torch

    from equipoise.objectives.relativistic import relativistic

    with pytest.raises(TypeError, match=r"'real_logits' has shape \(4, 1\)"):
        relativistic().value(torch.zeros(4, 1), torch.zeros(4, 1))


def test_a_test_cannot_reach_the_network():
    import socket

    with socket.socket() as connection, pytest.raises(OSError, match="tests use no network"):
        connection.connect(("192.0.2.1", 80))  # RFC 5737: an address that nobody has
