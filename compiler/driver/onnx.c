#include "onnx.h"
#include "reg/data.h"
#include <string.h>

// Fields of the messages of onnx.proto.
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_I = 3, ATTRIBUTE_S = 4, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_INT = 2, TYPE_STRING = 3, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, INT64 = 7 };

int onnx_type(DType t) {
  static const int types[DTYPE_COUNT] = {[DT_F32] = 1, [DT_I32] = 6, [DT_BOOL] = 9, [DT_F64] = 11};
  return types[t];
}

static const char *new_name(Onnx *o) { return arena_printf(o->a, "v%d", o->made++); }

static void put_tensor(Onnx *o, const char *name, int type, Shape s, const void *bytes, size_t size) {
  Text t = {0};
  for (int i = 0; i < s.rank; i++) reg_protobuf_integer(&t, TENSOR_DIMS, s.dim[i]);
  reg_protobuf_integer(&t, TENSOR_TYPE, type);
  reg_protobuf_text(&t, TENSOR_NAME, name);
  reg_protobuf_bytes(&t, TENSOR_RAW, bytes, size);
  reg_protobuf_message(&o->tensors, GRAPH_INITIALIZER, &t);
}

static size_t element(DType t) { return t == DT_BOOL ? 1 : t == DT_F64 ? 8 : 4; }

const char *onnx_tensor(Onnx *o, DType t, Shape s, const double *values, int64_t n) {
  const char *name = new_name(o);
  void *bytes = arena_alloc(o->a, (size_t)n * element(t) + 1);
  double *doubles = bytes;
  float *floats = bytes;
  int32_t *whole = bytes;
  bool *truths = bytes;
  for (int64_t i = 0; i < n; i++) switch (t) {
    case DT_F64: doubles[i] = values[i]; break;
    case DT_I32: whole[i] = (int32_t)values[i]; break;
    case DT_BOOL: truths[i] = values[i] != 0; break;
    default: floats[i] = (float)values[i];
    }
  put_tensor(o, name, onnx_type(t), s, bytes, (size_t)n * element(t));
  return name;
}

const char *onnx_integers(Onnx *o, const int64_t *values, int n) {
  const char *name = new_name(o);
  put_tensor(o, name, INT64, (Shape){.rank = 1, .dim = {n}}, values, (size_t)n * sizeof *values);
  return name;
}

const char *onnx_shape(Onnx *o, Shape s) { return onnx_integers(o, s.dim, s.rank); }

static void put_attribute(Text *to, Text *attribute, const char *name, int type) {
  reg_protobuf_text(attribute, ATTRIBUTE_NAME, name);
  reg_protobuf_integer(attribute, ATTRIBUTE_TYPE, type);
  reg_protobuf_message(to, NODE_ATTRIBUTE, attribute);
}

void onnx_attribute(Text *to, const char *name, int64_t value) {
  Text one = {0};
  reg_protobuf_integer(&one, ATTRIBUTE_I, value);
  put_attribute(to, &one, name, TYPE_INT);
}

void onnx_attributes(Text *to, const char *name, const int64_t *values, int n) {
  Text one = {0};
  for (int i = 0; i < n; i++) reg_protobuf_integer(&one, ATTRIBUTE_INTS, values[i]);
  put_attribute(to, &one, name, TYPE_INTS);
}

void onnx_word(Text *to, const char *name, const char *value) {
  Text one = {0};
  reg_protobuf_text(&one, ATTRIBUTE_S, value);
  put_attribute(to, &one, name, TYPE_STRING);
}

static void put_node(Onnx *o, const char *op, int n, const char *const *in, Text *attributes,
                     const char *out) {
  Text node = {0};
  for (int i = 0; i < n; i++) reg_protobuf_text(&node, NODE_INPUT, in[i]);
  reg_protobuf_text(&node, NODE_OUTPUT, out);
  reg_protobuf_text(&node, NODE_OP, op);
  if (attributes) {
    reg_text_bytes(&node, attributes->data ? attributes->data : "", attributes->used);
    node.failed |= attributes->failed;
    reg_text_free(attributes);
  }
  reg_protobuf_message(&o->nodes, GRAPH_NODE, &node);
}

const char *onnx_node(Onnx *o, const char *op, int n, const char *const *in, Text *attributes) {
  const char *out = new_name(o);
  put_node(o, op, n, in, attributes, out);
  return out;
}

const char *onnx_second(Onnx *o, const char *op, int n, const char *const *in, Text *attributes) {
  const char *out = new_name(o);
  Text both = {0};
  reg_protobuf_text(&both, NODE_OUTPUT, new_name(o));
  reg_text_bytes(&both, attributes->data, attributes->used);
  reg_text_free(attributes);
  put_node(o, op, n, in, &both, out);
  return arena_printf(o->a, "v%d", o->made - 1);
}

void onnx_rename(Onnx *o, const char *from, const char *to) { put_node(o, "Identity", 1, &from, NULL, to); }

void onnx_port(Text *graph, int field, const char *name, DType t, Shape s) {
  Text value = {0}, type = {0}, tensor = {0}, shape = {0};
  for (int i = 0; i < s.rank; i++) {
    Text dim = {0};
    reg_protobuf_integer(&dim, SHAPE_DIM, s.dim[i]);
    reg_protobuf_message(&shape, SHAPE_DIM, &dim);
  }
  reg_protobuf_integer(&tensor, TENSOR_ELEMENT, onnx_type(t));
  reg_protobuf_message(&tensor, TENSOR_SHAPE, &shape);
  reg_protobuf_message(&type, TYPE_TENSOR, &tensor);
  reg_protobuf_text(&value, VALUE_NAME, name);
  reg_protobuf_message(&value, VALUE_TYPE, &type);
  reg_protobuf_message(graph, field, &value);
}
