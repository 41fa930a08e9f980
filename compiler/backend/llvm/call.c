// Calls of the runtime. In: a step whose node has a row in calls.def. Out: the call with the row's arguments;
// the function ends behind it where the runtime refuses.
#include "emit.h"
#include <reg/abi.h>

LLVMValueRef emit_runtime_call(Kernel *k, LLVMTypeRef result, const char *name, LLVMValueRef *args, int n) {
  Emitter *m = k->m;
  LLVMTypeRef params[MAX_CALL_ARGS];
  for (int i = 0; i < n; i++) params[i] = LLVMTypeOf(args[i]);
  LLVMTypeRef t = LLVMFunctionType(result, params, (unsigned)n, 0);
  LLVMValueRef fn = LLVMGetNamedFunction(m->module, name);
  if (!fn) fn = LLVMAddFunction(m->module, name, t);
  return LLVMBuildCall2(k->builder, t, fn, args, (unsigned)n, "");
}

void emit_end_unless_zero(Kernel *k, LLVMValueRef status) {
  Emitter *m = k->m;
  LLVMValueRef refused = LLVMBuildICmp(k->builder, LLVMIntNE, status, LLVMConstInt(m->i32, 0, 0), "");
  LLVMBasicBlockRef end = LLVMAppendBasicBlockInContext(m->context, k->fn, ""),
                    next = LLVMAppendBasicBlockInContext(m->context, k->fn, "");
  LLVMBuildCondBr(k->builder, refused, end, next);
  LLVMPositionBuilderAtEnd(k->builder, end);
  LLVMBuildRet(k->builder, status);
  LLVMPositionBuilderAtEnd(k->builder, next);
}

// -- what the rows of calls.def say

typedef struct Call {
  Kernel *k;
  const LoopStep *s;
  LLVMValueRef args[MAX_CALL_ARGS];
  int n;
} Call;

static void add(Call *c, LLVMValueRef v) {
  if (c->n == MAX_CALL_ARGS) ice("llvm", "too many arguments for %s", op_info[c->s->node->op].text);
  c->args[c->n++] = v;
}

static LLVMValueRef word(const Call *c, int32_t v) {
  return LLVMConstInt(c->k->m->i32, (unsigned long long)(int64_t)v, 1);
}

static int64_t size(const Node *n, int64_t axis) { return n->shape.dim[axis]; }
static int64_t last(const Node *n, int k) { return n->shape.dim[n->shape.rank - k]; }
static int64_t count(const Node *n) { return shape_count(n->shape); }

static int64_t between(const Node *n, int from, int to) {
  int64_t p = 1;
  for (int i = from; i < to; i++) p *= n->shape.dim[i];
  return p;
}

static int64_t outer(const Node *n, int k) { return between(n, 0, k < 0 ? n->shape.rank + k : k); }

static int64_t inner(const Node *n, int k) {
  return between(n, k < 0 ? n->shape.rank + k : k, n->shape.rank);
}

static int32_t index_type(const Node *n) {
  return n->dtype == DT_I32 ? REG_INDEX_I32 : n->dtype == DT_F32 ? REG_INDEX_F32 : REG_INDEX_F64;
}

void emit_library_call(Kernel *k, LLVMValueRef ctx, const LoopStep *s) {
  const Node *n = s->node, *x = n->in[0], *y = n->nin > 1 ? n->in[1] : NULL;
  Call c = {.k = k, .s = s};
  enum { RETURNS_void, RETURNS_int32_t } status = RETURNS_void;
  const char *name = NULL;
  add(&c, ctx);
#define at(i)               emit_buffer(k, s->in[i])
#define result(i)           emit_buffer(k, s->out)
#define place               LLVMBuildGlobalStringPtr(k->builder, n->name, "place")
#define P(parameter, value) add(&c, value);
#define L(parameter, value) add(&c, emit_int64(k->m, value));
#define W(parameter, value) add(&c, word(&c, value));
#define CALL(op, symbol, returns, arguments, bytes)                                                          \
  case OP_##op:                                                                                              \
    arguments name = #symbol;                                                                                \
    status = RETURNS_##returns;                                                                              \
    break;
  switch (n->op) {
#include <reg/calls.def>
  default: ice("llvm", "no library call for %s", op_info[n->op].text);
  }
#undef at
#undef result
#undef place
#undef P
#undef L
#undef W
#undef CALL
  LLVMTypeRef type = status == RETURNS_void ? k->m->void_t : k->m->i32;
  LLVMValueRef value = emit_runtime_call(k, type, name, c.args, c.n);
  if (status != RETURNS_void) emit_end_unless_zero(k, value);
}
