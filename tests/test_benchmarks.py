"""What a benchmark imports of the library is there."""

import ast
from importlib import import_module
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[1].glob("benchmarks/*.py")), ids=lambda path: path.stem
)
def test_the_names_that_a_benchmark_imports_exist(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tuneprobe"):
            module = import_module(str(node.module))
            for name in node.names:
                if not hasattr(module, name.name):  # then it is a module of the package
                    import_module(f"{node.module}.{name.name}")
