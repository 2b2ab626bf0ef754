"""A network of one operator, written as a .tflite file."""

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

INT4 = "int4"
TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int4": schema.TensorType.INT4,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
}
LOWEST_VERSION = 1


def packed_nibbles(codes):
    """int4 codes two a byte: element 2i in the low nibble, 2i + 1 in the high one, the whole tensor in one run."""
    codes = codes.astype(np.int64).ravel() & 15
    codes = np.append(codes, np.zeros(codes.size % 2, np.int64))
    return (codes[0::2] | codes[1::2] << 4).astype(np.uint8)


class Network:
    """One operator with its operands; `bytes()` is the file."""

    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "one operator"
        self.model.buffers = [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.name = "main"
        self.graph.tensors, self.graph.inputs, self.graph.outputs, self.graph.operators = [], [], [], []
        self.model.subgraphs = [self.graph]
        self.model.operatorCodes = []
        self.input_shapes, self.input_types = [], []
        # Float inputs lie in ±span / 2.
        self.span = 1.0

    def tensor(self, shape, dtype, scale=None, zero_point=0, axis=0, buffer=0):
        """The index of a new tensor; `scale` is a number, an array with one a channel of `axis`, or None."""
        tensor = schema.TensorT()
        tensor.name = f"t{len(self.graph.tensors)}"
        tensor.shape, tensor.type, tensor.buffer = [int(d) for d in shape], TYPES[dtype], buffer
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.full(scales.size, zero_point, np.int64)
            tensor.quantization.quantizedDimension = axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def input(self, shape, dtype, scale=None, zero_point=0):
        """A tensor that the caller fills."""
        index = self.tensor(shape, dtype, scale, zero_point)
        self.graph.inputs.append(index)
        self.input_shapes.append(tuple(shape))
        self.input_types.append(np.dtype(dtype))
        return index

    def constant(self, values, scale=None, zero_point=0, axis=0, dtype=None):
        """A tensor that stands in the file; `dtype` int4 packs the codes."""
        dtype = dtype or values.dtype.name
        buffer = schema.BufferT()
        stored = packed_nibbles(values) if dtype == INT4 else np.ascontiguousarray(values)
        buffer.data = np.frombuffer(stored.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self.tensor(values.shape, dtype, scale, zero_point, axis, len(self.model.buffers) - 1)

    def output(self, shape, dtype, scale=None, zero_point=0):
        """A tensor that the caller reads."""
        index = self.tensor(shape, dtype, scale, zero_point)
        self.graph.outputs.append(index)
        return index

    def operator(self, name, inputs, outputs, options=None, version=LOWEST_VERSION):
        """The operator; `options` is an object of the schema, whose class names the kind of options."""
        code = schema.OperatorCodeT()
        builtin = getattr(schema.BuiltinOperator, name)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType, operator.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        self.graph.operators.append(operator)

    def bytes(self):
        """The file."""
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def options(kind, **fields):
    """An options object of the schema, such as `options("Conv2D", strideH=2)`."""
    made = getattr(schema, f"{kind}OptionsT")()
    for name, value in fields.items():
        assert hasattr(made, name), f"{kind} has no {name}"
        setattr(made, name, value)
    return made
