"""A pickle machine that can only build plain data and tensors: what torch archives need, and nothing that runs code.

``pickle.load`` calls whatever the file names. This one reads the opcodes itself (``pickletools.genops`` only parses),
knows a handful of names, and refuses every other global, opcode and persistent id with the name in the message.
Opcodes are those that torch.save writes (pickle protocol 2): torch/serialization.py, CPython Lib/pickletools.py.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sonant.errors import CorruptFile

__all__ = ["Rebuild", "StorageRef", "read"]

STORAGES = {  # torch's storage classes -> safetensors codes
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
_FUNCTIONS = {("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter")}
_ORDERED_DICT = ("collections", "OrderedDict")
_MARK = object()  # on the stack where a MARK opcode stood


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A storage that the pickle refers to: ``count`` numbers of type ``dtype`` in the archive's entry ``key``."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class _Global:
    module: str
    name: str


Rebuild = Callable[[StorageRef, int, tuple[int, ...], tuple[int, ...]], Any]  # storage, offset, size, stride


@dataclass(slots=True)
class _Machine:
    origin: str
    rebuild: Rebuild
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def refuse(self, what: str) -> CorruptFile:
        return CorruptFile(f"{self.origin}: {what} is not allowed in a weight file; only tensors and plain data are")

    def pop(self) -> Any:
        if not self.stack:
            raise CorruptFile(f"{self.origin}: the pickle takes more than it gave; the file is damaged")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise CorruptFile(
                f"{self.origin}: the pickle fills a {kind.__name__} that isn't there; the file is damaged"
            )
        return self.stack[-1]

    def fill(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            raise CorruptFile(f"{self.origin}: a dictionary has a key without a value; the file is damaged")
        target = self.top(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int):
                raise self.refuse(f"a dictionary key of type {type(key).__name__}")
            target[key] = value

    def find(self, module: str, name: str) -> _Global:
        known = (module, name) in _FUNCTIONS or (module, name) == _ORDERED_DICT
        if not known and not (module == "torch" and name in STORAGES):
            raise self.refuse(f"the global {module}.{name}")
        return _Global(module, name)

    def storage(self, persistent_id: Any) -> StorageRef:
        match persistent_id:
            case ("storage", _Global(module="torch", name=name), str(key), str(), int(count)) if name in STORAGES:
                return StorageRef(STORAGES[name], key, count)
        raise self.refuse(f"the persistent id {str(persistent_id)[:80]!r}")

    def call(self, function: Any, arguments: Any) -> Any:
        match function, arguments:
            case _Global(name="OrderedDict"), ():
                return {}
            case _Global(name="OrderedDict"), (list(pairs),) if all(isinstance(p, list | tuple) for p in pairs):
                return dict(pairs)
            case _Global(name="_rebuild_tensor_v2"), (StorageRef() as ref, int(offset), size, stride, *_):
                if _is_shape(size) and _is_shape(stride) and len(size) == len(stride):
                    return self.rebuild(ref, offset, tuple(size), tuple(stride))
            case _Global(name="_rebuild_parameter"), (data, *_):
                return data
        name = function.name if isinstance(function, _Global) else type(function).__name__
        raise self.refuse(f"a call of {name} with these arguments")


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(n) is int and n >= 0 for n in value)


def read(data: bytes, rebuild: Rebuild, origin: str) -> Any:
    """Read one pickle.

    Args:
        data: the pickle.
        rebuild: makes a tensor of (storage, offset, size, stride), offset and stride counted in numbers.
        origin: what to call the file in messages.

    Returns:
        Dictionaries, lists, tuples, strings, numbers, None and what ``rebuild`` gave.

    Raises:
        CorruptFile: an opcode, global or persistent id that isn't allowed (named), or a damaged pickle.
    """
    machine = _Machine(origin, rebuild)
    try:
        with warnings.catch_warnings():  # pickletools decodes escapes of text opcodes before we can refuse them
            warnings.simplefilter("ignore", DeprecationWarning)
            for opcode, argument, _ in pickletools.genops(data):
                if opcode.name == "STOP":
                    break
                _step(machine, opcode.name, argument)
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError) as error:
        if isinstance(error, CorruptFile):
            raise
        raise CorruptFile(f"{origin}: the pickle inside is damaged ({error})") from error
    result = machine.pop()
    if machine.stack:
        raise CorruptFile(f"{origin}: the pickle inside leaves {len(machine.stack)} values over; the file is damaged")
    return result


_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING", "BINSTRING",
}  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _step(machine: _Machine, name: str, argument: Any) -> None:
    """Carry out one opcode."""
    stack = machine.stack
    if name in _LITERALS:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name]())
    elif name in _TUPLES:
        stack.append(tuple([machine.pop() for _ in range(_TUPLES[name])][::-1]))
    elif name == "TUPLE":
        stack.append(tuple(machine.pop_to_mark()))
    elif name == "GLOBAL":
        module, _, attribute = str(argument).partition(" ")
        stack.append(machine.find(module, attribute))
    elif name == "BINPERSID":
        stack.append(machine.storage(machine.pop()))
    elif name == "REDUCE":
        arguments = machine.pop()
        stack.append(machine.call(machine.pop(), arguments))
    elif name in ("BINPUT", "LONG_BINPUT"):
        item = machine.pop()
        stack.append(item)
        machine.memo[argument] = item
    elif name in ("BINGET", "LONG_BINGET"):
        if argument not in machine.memo:
            raise CorruptFile(f"{machine.origin}: the pickle refers to a value that it didn't store; it is damaged")
        stack.append(machine.memo[argument])
    elif name == "BUILD":  # state of an OrderedDict: torch keeps module versions there, which hold no numbers
        machine.pop()
        machine.top(dict)
    else:
        _collect(machine, name)


def _collect(machine: _Machine, name: str) -> None:
    """The opcodes that fill lists and dictionaries; any other is refused."""
    if name == "APPEND":
        item = machine.pop()
        machine.top(list).append(item)
    elif name == "APPENDS":
        items = machine.pop_to_mark()
        machine.top(list).extend(items)
    elif name == "SETITEM":
        value = machine.pop()
        key = machine.pop()
        machine.fill([key, value])
    elif name == "SETITEMS":
        machine.fill(machine.pop_to_mark())
    elif name != "PROTO":
        raise machine.refuse(f"the pickle opcode {name}")
