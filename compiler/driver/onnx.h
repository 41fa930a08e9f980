// A graph as a model of ONNX (onnx.proto, opset 17): the pieces of the file.
#ifndef DRIVER_ONNX_H
#define DRIVER_ONNX_H
#include "../graph/graph.h"
#include "text/protobuf.h"

enum { ONNX_OPSET = 17, ONNX_IR = 8 };

typedef struct Onnx {
  Arena *a;
  Text nodes, tensors; // of GraphProto, so far
  int made;            // names
  const Node *refused; // the first that has no form
} Onnx;

int onnx_type(DType t);
// A tensor with these values, and its name.
const char *onnx_tensor(Onnx *o, DType t, Shape s, const double *values, int64_t n);
const char *onnx_integers(Onnx *o, const int64_t *values, int n); // int64 [n]
const char *onnx_shape(Onnx *o, Shape s);
void onnx_attribute(Text *to, const char *name, int64_t value);
void onnx_attributes(Text *to, const char *name, const int64_t *values, int n);
void onnx_word(Text *to, const char *name, const char *value);
// A node of one result, and the result's name; `attributes` (NULL: none) is freed.
const char *onnx_node(Onnx *o, const char *op, int n, const char *const *in, Text *attributes);
// The second result of a node that has two.
const char *onnx_second(Onnx *o, const char *op, int n, const char *const *in, Text *attributes);
void onnx_rename(Onnx *o, const char *from, const char *to);
// GraphProto's input (field 11) or output (field 12).
void onnx_port(Text *graph, int field, const char *name, DType t, Shape s);

// The nodes of g; names[id]: what stands for a node, for its inputs already. False: o->refused has no form.
bool onnx_graph(Onnx *o, const Graph *g, const char **names);
#endif
