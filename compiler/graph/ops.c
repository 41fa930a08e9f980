// In: ops.def. Out: op_info, names and attribute keys. Holds: an operation whose derivative is not spelled
// does not build.
#include "ops.h"
#include <string.h>

const OpInfo op_info[OP_COUNT] = {
#define OP(name, text, arity, cls, batch, derivative, lo, hi, example)                                       \
  [OP_##name] = {text, arity, CLASS_##cls, BATCH_##batch, derivative, lo, hi, example},
#include "ops.def"
#undef OP
};

#define OP(name, text, arity, cls, batch, derivative, lo, hi, example)                                       \
  _Static_assert(sizeof(derivative) > 1, text ": spell the derivative, or `nondiff`");                       \
  _Static_assert(sizeof(example) > 1, text ": give an example");                                             \
  _Static_assert((lo) < (hi) || CLASS_##cls == CLASS_LEAF, text ": give a test domain");
#include "ops.def"
#undef OP

AttrKeys op_attr_keys(Op op) {
  switch (op) {
  case OP_SUM:
  case OP_RMAX:
  case OP_ARGMAX:
  case OP_BROADCAST: return (AttrKeys){1, true, {"axes"}};
  case OP_TRANSPOSE: return (AttrKeys){1, true, {"perm"}};
  case OP_SLICE: return (AttrKeys){3, true, {"start", "stop", "step"}};
  case OP_PAD: return (AttrKeys){3, true, {"lo", "hi", "inner"}};
  case OP_SLIDE: return (AttrKeys){3, false, {"axis", "step", "spread"}};
  case OP_UNSLIDE: return (AttrKeys){4, false, {"axis", "step", "spread", "size"}};
  case OP_CONV: return (AttrKeys){4, false, {"step_h", "step_w", "spread_h", "spread_w"}};
  case OP_CONV_IMAGE:
    return (AttrKeys){
        8, false, {"step_h", "step_w", "spread_h", "spread_w", "top", "left", "height", "width"}};
  case OP_CONV_WEIGHTS:
    return (AttrKeys){6, false, {"step_h", "step_w", "spread_h", "spread_w", "rows", "columns"}};
  case OP_PANELS: return (AttrKeys){1, false, {"turned"}};
  case OP_PANEL_PRODUCT: return (AttrKeys){1, false, {"columns"}};
  case OP_IOTA:
  case OP_CONCAT: return (AttrKeys){1, false, {"axis"}};
  case OP_CUMSUM: return (AttrKeys){2, false, {"axis", "reverse"}};
  case OP_SCATTER_ADD:
  case OP_PUT_ALONG:
  case OP_INDEX: return (AttrKeys){1, false, {"size"}};
  case OP_TRISOLVE: return (AttrKeys){1, false, {"lower"}};
  case OP_UNIFORM: return (AttrKeys){1, false, {"stream"}};
  case OP_HOLE:
  case OP_POINT: return (AttrKeys){1, false, {"key"}};
  case OP_PART: return (AttrKeys){1, false, {"k"}};
  case OP_LOOP:
    return (AttrKeys){LOOP_ATTRS, false, {"turns", "carries", "slices", "stacks", "reverse", "end"}};
  default: return (AttrKeys){0};
  }
}

// A loop may have one, too.
bool op_has_name(Op op) { return op == OP_INPUT || op == OP_INDEX || op_info[op].class == CLASS_FACTOR; }

bool op_is_step(Op op) {
  const OpClass class = op_info[op].class;
  return class == CLASS_CONTRACT || class == CLASS_WINDOW || class == CLASS_INDEX || class == CLASS_FACTOR ||
         class == CLASS_BODY;
}

bool op_has_type(Op op) {
  return op_info[op].class == CLASS_LEAF || op == OP_CAST || op == OP_RESHAPE || op == OP_BROADCAST ||
         op == OP_UNIFORM;
}

bool op_commutes(Op op) {
  return op == OP_ADD || op == OP_MUL || op == OP_ZMUL || op == OP_EQ || op == OP_AND || op == OP_OR;
}

int op_find(const char *text, size_t n) {
  for (int i = 0; i < OP_COUNT; i++)
    if (strncmp(op_info[i].text, text, n) == 0 && op_info[i].text[n] == 0) return i;
  return -1;
}

static const char *const dtype_names[] = {
    [DT_F32] = "f32", [DT_I32] = "i32", [DT_BOOL] = "bool", [DT_F64] = "f64", [DT_TUPLE] = "tuple"};

const char *dtype_text(DType t) { return dtype_names[t]; }

int64_t dtype_size(DType t) { return t == DT_F64 ? 8 : t == DT_BOOL ? 1 : 4; }

int64_t node_bytes(const Node *n) { return dtype_size(n->dtype) * shape_count(n->shape); }

bool dtype_is_float(DType t) { return t == DT_F32 || t == DT_F64; }

int dtype_find(const char *text, size_t n) {
  for (int i = 0; i < DTYPE_COUNT; i++)
    if (strlen(dtype_names[i]) == n && memcmp(dtype_names[i], text, n) == 0) return i;
  return -1;
}
