"""Templates as parts of a larger one."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto, NodeProto, numpy_helper

from sonant.engines import binder
from sonant.models.graph_builder import GraphBuilder

__all__ = ["inline", "prune"]


def inline(graph: GraphBuilder, part: ModelProto, inputs: Mapping[str, str]) -> dict[str, str]:
    """Add a template's nodes to a growing graph; parameters keep their names, values get the template's as a prefix.

    Args:
        graph: grows.
        part: a template of the same opset.
        inputs: the part's input -> the value of ``graph`` that feeds it.

    Returns:
        The part's outputs -> their values in ``graph``.

    Raises:
        KeyError: an input isn't fed (a fault of ours).
    """
    prefix = part.graph.name
    named = {"": "", **{row.name: inputs[row.name] for row in part.graph.input}}
    for key, row in binder.parameters(part).items():
        named[key] = key
        graph.weights.setdefault(key, row)
    for row in part.graph.initializer:
        if row.name not in named:
            named[row.name] = graph.constant(numpy_helper.to_array(row))
    for node in part.graph.node:
        made = NodeProto()
        made.CopyFrom(node)
        made.name = f"{prefix}/{node.name}"
        made.input[:] = [named[name] for name in node.input]
        for index, name in enumerate(node.output):
            named[name] = made.output[index] = f"{prefix}/{name}" if name else ""
        graph.nodes.append(made)
    return {row.name: named[row.name] for row in part.graph.output}


def prune(model: ModelProto) -> None:
    """Drop the nodes and initializers that no output needs, in place."""
    needed = {row.name for row in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    rows = [row for row in model.graph.initializer if row.name in needed]
    kept.reverse()
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(rows)
