"""Draw faults from the source: each a small change of one place, the same ones for the same source and seed."""

import argparse
import ast
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SEED, COUNT = 42, 60

OTHER_OPERATOR: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
    ast.Pow: ("**", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
# What stands in these is text for people, or is looked at by a type checker only.
SKIPPED = (ast.JoinedStr, ast.Import, ast.ImportFrom)


class Edit(NamedTuple):
    """A change of a source text: what stands from ``start`` to ``end`` becomes ``new``; ``where`` is its function."""

    start: int
    end: int
    new: str
    where: str


class Source:
    """A module's text, and where its nodes stand in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [0]
        for line in text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._encoded = [line.encode() for line in text.splitlines()]

    def start(self, node: ast.AST) -> int:
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: ast.AST) -> int:
        return self._offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: ast.AST) -> str:
        return self.text[self.start(node) : self.end(node)]

    def _offset(self, line: int, column: int) -> int:
        return self._lines[line - 1] + len(self._encoded[line - 1][:column].decode())


def edits(text: str) -> Iterator[Edit]:
    """Yield every change that the mutator knows, in the order of the source."""
    tree, source = ast.parse(text), Source(text)
    for node, where in places(tree):
        for start, end, new in changes(node, source):
            edit = Edit(start, end, new, where)
            try:
                changed = ast.parse(applied(text, edit))
            except SyntaxError:
                continue
            if ast.dump(changed) != ast.dump(tree):
                yield edit


def applied(text: str, edit: Edit) -> str:
    return text[: edit.start] + edit.new + text[edit.end :]


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield the nodes that may be changed, each with the name of the function or class that it stands in."""
    waiting: list[tuple[ast.AST, str]] = [(node, "") for node in reversed(tree.body)]
    while waiting:
        node, where = waiting.pop()
        if isinstance(node, SKIPPED) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            continue
        yield node, where
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            where = f"{where}.{node.name}".lstrip(".")
        waiting += [(child, where) for child in reversed(list(children(node)))]


def children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a node, annotations, decorators and documentation aside."""
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list", "type_comment"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not is_documentation(child):
                    yield child


def is_documentation(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def changes(node: ast.AST, source: Source) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and replacement of each change of one node itself."""
    match node:
        case ast.Compare():
            operands = [node.left, *node.comparators]
            for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
                yield from between(source, left, right, operator)
        case ast.BoolOp():
            yield from between(source, node.values[0], node.values[1], node.op)
        case ast.BinOp():
            yield from between(source, node.left, node.right, node.op)
        case ast.UnaryOp(op=ast.Not()):
            yield source.start(node), source.end(node), source.segment(node.operand)
        case ast.If() | ast.While() | ast.IfExp() if not isinstance(node.test, ast.Constant):
            yield source.start(node.test), source.end(node.test), f"not ({source.segment(node.test)})"
        case ast.comprehension():
            for test in node.ifs:
                yield source.start(test), source.end(test), f"not ({source.segment(test)})"
        case ast.Constant(value=int()) if not isinstance(node.value, bool):
            for value in (node.value + 1, node.value - 1):
                yield source.start(node), source.end(node), str(value)
        case ast.Return() if node.value is not None and ast.unparse(node.value) != "None":
            yield source.start(node.value), source.end(node.value), "None"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield source.start(node), source.end(node), "pass"


def between(source: Source, left: ast.AST, right: ast.AST, operator: ast.AST) -> Iterator[tuple[int, int, str]]:
    """Yield the change of the operator that stands between two operands."""
    if type(operator) not in OTHER_OPERATOR:
        return
    old, new = OTHER_OPERATOR[type(operator)]
    begin = source.end(left)
    pattern = r"\s+".join(map(re.escape, old.split()))
    found = re.search(rf"\b{pattern}\b" if old[0].isalpha() else pattern, source.text[begin : source.start(right)])
    if found:
        yield begin + found.start(), begin + found.end(), new


def fault(file: Path, edit: Edit) -> dict[str, str]:
    """Return a change as it is kept: whole lines, as many as it takes for them to stand in the file only once."""
    text = file.read_text(encoding="utf-8")
    begin = text.rfind("\n", 0, edit.start) + 1
    end = text.find("\n", edit.end)
    while text.count(text[begin:end]) > 1:
        begin = text.rfind("\n", 0, begin - 1) + 1
    old = text[begin:end]
    was, now = (" ".join(part.split()) for part in (text[edit.start : edit.end], edit.new))
    module = file.relative_to(ROOT / "src").as_posix()
    return {
        "name": f"{module} {edit.where or 'module'}: {was[:60]} -> {now[:60]}",
        "file": file.relative_to(ROOT).as_posix(),
        "old": old,
        "new": old[: edit.start - begin] + edit.new + old[edit.end - begin :],
    }


def drawn(root: Path, seed: int, count: int) -> list[dict[str, str]]:
    """Return ``count`` faults of the modules below ``root``, in the order of the source."""
    found = [
        (file, edit)
        for file in sorted((root / "src").rglob("*.py"))
        for edit in edits(file.read_text(encoding="utf-8"))
    ]
    chosen = sorted(random.Random(seed).sample(range(len(found)), count))
    return [fault(*found[number]) for number in chosen]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--count", type=int, default=COUNT)
    given = options.parse_args()
    print(json.dumps(drawn(ROOT, given.seed, given.count), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
