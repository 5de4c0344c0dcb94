"""Small ONNX models for tests of embeddings."""

import pytest


def stored_model(path, *, shape, channels: int = 1):
    """A model whose features are the means of all its input's pixels, per channel, and their doubles."""
    onnx = pytest.importorskip("onnx", reason="onnx comes with the extra 'test'")
    from onnx import TensorProto, helper

    entry = helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("features", TensorProto.FLOAT, [shape[0], 2 * channels])
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Add", ["flat", "flat"], ["doubled"]),
        helper.make_node("Concat", ["flat", "doubled"], ["features"], axis=1),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", [entry], [result]), opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )
    onnx.save(model, str(path))
    return path
