"""YAML files read as DVC reads them, with limits: the only place that parses YAML.

DVC follows YAML 1.2 (``3e-05`` is a number, ``yes`` and ``1:30`` are texts); PyYAML by itself
follows YAML 1.1. A file that another program would understand otherwise is refused: two equal keys
in a block, tags, a byte order mark, bytes that are not UTF-8. So is one that is built to exhaust
memory: aliases that expand to millions of values, deep nesting, a file of megabytes.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tuneprobe.errors import TuneprobeError

MAX_BYTES = 1 << 20  # the params.yaml of the project has 8 KiB
LOCK_BYTES = 64 << 20  # a lock of 150 stages has 200 KiB
BYTES_A_VALUE = 8  # a file may expand to one value, aliases included, for so many allowed bytes
MAX_DIGITS = 40  # of a whole number
MAX_DEPTH = 40
BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

TAG = "tag:yaml.org,2002:"
FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
KINDS = {  # the core schema of YAML 1.2, section 10.3.2
    "null": ("~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": ("true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": ("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (FLOAT, list("-+.0123456789")),
}
TAGS = {TAG + kind for kind in (*KINDS, "str", "seq", "map")}


class YamlFileError(TuneprobeError):
    """A file that is not the YAML which it should be; the message names file and line."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, with the plain scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


def _whole_number(loader: yaml.SafeLoader, node: ScalarNode) -> int:
    if len(node.value) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(node.value):,} digits")
    return int(node.value, {"0o": 8, "0x": 16}.get(node.value[:2], 10))


for _kind, (_pattern, _first) in KINDS.items():
    _Loader.add_implicit_resolver(TAG + _kind, re.compile(f"(?:{_pattern})\\Z"), _first)
_Loader.add_constructor(TAG + "int", _whole_number)


def read_yaml(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read the block of keys and values that a YAML file holds.

    Raises
    ------
    YamlFileError
        If it is not YAML, or is YAML that this project refuses (see the module).
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        return parse_yaml(file.read(max_bytes + 1), str(path), max_bytes)


def parse_yaml(content: bytes, name: str, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The block of keys and values that YAML text holds; `name` is the file of error messages.

    >>> parse_yaml(b"rate: 3e-05", "params.yaml")
    {'rate': 3e-05}
    """
    if len(content) > max_bytes:
        raise YamlFileError(f"{name} has more than {max_bytes:,} bytes: expected a short file.")
    text = _decoded(content, name)
    try:
        _check_depth(text, name)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            _check_values(node, name, max_bytes)
            value: dict[str, Any] = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        said = " ".join(str(error).replace('in "<unicode string>",', "at").split())
        raise YamlFileError(f"{name} is not YAML: {said}.") from error
    except (ValueError, LookupError) as error:
        raise YamlFileError(f"{name} holds a value that cannot be read ({error}).") from error
    return value


def _decoded(content: bytes, name: str) -> str:
    if content.startswith(BYTE_ORDER_MARKS):
        raise YamlFileError(f"{name} starts with a byte order mark: save it as plain UTF-8.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlFileError(f"{name}:{line}: not UTF-8: save it as plain UTF-8.") from None


def _check_depth(text: str, name: str) -> None:
    """Refuse deep nesting before anything that recurses over it."""
    depth, line = 0, 1
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else line
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise YamlFileError(f"{name}:{line}: nested more than {MAX_DEPTH} levels deep.")


def _check_values(top: Node | None, name: str, max_bytes: int) -> None:
    """Refuse what the safe loader would accept and this project does not."""
    if not isinstance(top, MappingNode):
        raise YamlFileError(f"{name}: expected keys and values at the top ('key: value').")
    limit = max_bytes // BYTES_A_VALUE
    sizes: dict[int, int] = {}  # of nodes that are done; 0 while one is open

    def size(node: Node) -> int:
        place = f"{name}:{node.start_mark.line + 1}"
        if node.tag not in TAGS:
            raise YamlFileError(f"{place}: the tag '{node.tag}' is refused: write plain values.")
        if id(node) not in sizes:
            sizes[id(node)] = 0
            sizes[id(node)] = 1 + sum(map(size, _children(node, place)))
        elif not sizes[id(node)]:
            raise YamlFileError(f"{place}: the alias of this value lies within itself.")
        if sizes[id(node)] > limit:
            raise YamlFileError(f"{place}: holds more than {limit:,} values.")
        return sizes[id(node)]

    size(top)


def _children(node: Node, place: str) -> list[Node]:
    """The nodes within a node; keys must be texts, and distinct."""
    if isinstance(node, SequenceNode):
        return list(node.value)
    if not isinstance(node, MappingNode):
        return []
    keys: set[str] = set()
    for key, _ in node.value:
        place = f"{place.rpartition(':')[0]}:{key.start_mark.line + 1}"
        if key.tag != TAG + "str":
            raise YamlFileError(f"{place}: a key is not a text: put quotes around it.")
        if key.value in keys:
            raise YamlFileError(f"{place}: the key '{key.value}' is there twice: remove one.")
        keys.add(key.value)
    return [value for _, value in node.value]


def dump_yaml(value: Any) -> str:
    """`value` as YAML in blocks, keys in their order."""
    return str(yaml.safe_dump(value, sort_keys=False, default_flow_style=False))
