// The value of a node at an index, computed where it is needed; each (node, index, mask) once.
#include "emit.h"
#include <string.h>

int emit_index_depth(const Kernel *k, const Index *at, int mask) {
  int depth = mask ? k->masks.data[mask - 1].depth : 0;
  for (int i = 0; i < at->rank; i++) {
    int d = emit_affine_depth(k, &at->axis[i]);
    if (d > depth) depth = d;
  }
  return depth;
}

LLVMValueRef *emit_memo_find(Kernel *k, const Node *n, const Index *at, int mask) {
  for (int i = k->memo.len - 1; i >= 0; i--) {
    Memo *m = &k->memo.data[i];
    if (m->node == n && m->mask == mask && emit_same_copy(k, m->shift, m->depth) && index_equal(&m->at, at))
      return &m->value;
  }
  return NULL;
}

void emit_memo_add(Kernel *k, const Node *n, const Index *at, int mask, int depth, LLVMValueRef v) {
  Memo m = {n, mask, depth, k->shift, *at, v};
  vec_push(k->m->arena, k->memo, m);
}

static LLVMValueRef constant(Kernel *k, const Node *n) {
  LLVMTypeRef t = emit_vector_type(k->m, n->dtype);
  return emit_const(t, n->dtype == DT_BOOL ? n->data[0] != 0 : n->data[0]);
}

static LLVMValueRef iota(Kernel *k, const Node *n, const Index *at) {
  const Affine *number = &at->axis[n->attr[0]];
  LLVMValueRef v = emit_affine_vector(k, number);
  if (n->dtype == DT_I32) return v;
  return LLVMBuildSIToFP(emit_at(k, emit_affine_depth(k, number)), v, emit_vector_type(k->m, n->dtype), "");
}

// pad, unslide: the operand where the guards hold, else zero. concat: the operand whose guards hold.
static LLVMValueRef shape_value(Kernel *k, Node *n, const Index *at, int mask) {
  LLVMValueRef v = NULL;
  for (int i = 0; i < n->nin; i++) {
    Guard guards[MAX_GUARDS];
    Index in;
    int count = index_operand(&k->loops.vars, n, i, at, &in, guards);
    if (count < 0) continue;
    if (count == 0) return emit_value(k, n->in[i], &in, mask);
    int inner = emit_mask(k, mask, guards, count);
    LLVMValueRef x = emit_value(k, n->in[i], &in, inner);
    int depth = emit_index_depth(k, at, inner);
    LLVMValueRef other = v ? v : LLVMConstNull(LLVMTypeOf(x));
    v = LLVMBuildSelect(emit_at(k, depth), k->masks.data[inner - 1].value, x, other, "");
  }
  return v ? v : LLVMConstNull(emit_vector_type(k->m, n->dtype));
}

static LLVMValueRef compute(Kernel *k, Node *n, const Index *at, int mask) {
  switch (op_info[n->op].class) {
  case CLASS_SHAPE: return shape_value(k, n, at, mask);
  case CLASS_RANDOM: return emit_uniform(k, n, at, mask);
  case CLASS_META: return emit_value(k, n->in[0], at, mask);
  case CLASS_LEAF:
    if (n->op == OP_IOTA) return iota(k, n, at);
    if (n->op == OP_CONST && n->ndata == 1) return constant(k, n);
    if (n->op == OP_CONST) {
      Affine number = index_linear(n->shape, at);
      return emit_load(k, emit_const_tensor(k, n), n->dtype, &number, mask);
    }
    break;
  case CLASS_POINTWISE:
  case CLASS_COMPARE: {
    LLVMValueRef in[3];
    for (int i = 0; i < n->nin; i++) in[i] = emit_value(k, n->in[i], at, mask);
    const int depth = emit_index_depth(k, at, mask);
    return emit_pointwise(k, emit_at(k, depth), n, in, depth <= k->loops.vector);
  }
  default: break;
  }
  ice("llvm", "%s is not in memory", op_info[n->op].text);
}

static bool stored_here(const Kernel *k, const Node *n) {
  for (int i = 0; i < k->nest->nouts; i++)
    if (k->nest->outs[i].node == n && k->nest->outs[i].kind == OUT_STORE) return true;
  return false;
}

LLVMValueRef emit_value(Kernel *k, Node *n, const Index *at, int mask) {
  LLVMValueRef *known = emit_memo_find(k, n, at, mask), v;
  if (known) return *known;
  const Buffer *b = k->m->f->of[n->id];
  if (b && !stored_here(k, b->node)) {
    Affine number = index_linear(n->shape, at);
    v = emit_load(k, emit_buffer(k, b), n->dtype, &number, mask);
  } else if (b && b->node != n) {
    // a view of what this nest stores at this element
    v = emit_value(k, b->node, &k->loops.space, mask);
  } else {
    v = compute(k, n, at, mask);
  }
  emit_memo_add(k, n, at, mask, emit_index_depth(k, at, mask), v);
  return v;
}
