// Calls of the runtime. In: a step whose node has a row in calls.def. Out: the row's arguments, and a
// function that calls the runtime with them.
#include "../../loops/calls.h"
#include "emit.h"
#include <reg/abi.h>
#include <string.h>

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
  Emitter *m;
  const LoopStep *s;
  char types[MAX_CALL_ARGS + 1]; // of the parameters behind the context: p pointer, l int64_t, w int32_t
  Launch launch;
} Call;

static void add(Call *c, char type, Argument a) {
  if (c->launch.args.len == MAX_CALL_ARGS)
    ice("llvm", "too many arguments for %s", op_info[c->s->node->op].text);
  c->types[c->launch.args.len] = type;
  vec_push(c->m->arena, c->launch.args, a);
}

static Argument at_buffer(const Buffer *b) { return (Argument){.buffer = b}; }
static Argument number(int64_t v) { return (Argument){.number = v}; }

static Argument text(Emitter *m, const char *s) {
  LLVMValueRef bytes = LLVMConstStringInContext(m->context, s, (unsigned)strlen(s), 0);
  LLVMValueRef g = LLVMAddGlobal(m->module, LLVMTypeOf(bytes), "place");
  LLVMSetInitializer(g, bytes);
  LLVMSetLinkage(g, LLVMPrivateLinkage);
  LLVMSetGlobalConstant(g, 1);
  return (Argument){.address = g};
}

// int32_t f(reg_ctx *, void *const *args): calls `symbol` with the arguments that lie there; one for all its
// calls.
static LLVMValueRef unpacker(Emitter *m, const char *symbol, const char *types, LLVMTypeRef result) {
  const char *name = arena_printf(m->arena, "call_%s", symbol);
  LLVMValueRef fn = LLVMGetNamedFunction(m->module, name), args[MAX_CALL_ARGS + 1];
  if (fn) return fn;
  fn = emit_function_new(m, name, emit_call_type(m), true);
  Kernel *k = emit_kernel_new(m, fn, &(KernelArgs){0}, LLVMGetParam(fn, 1));
  args[0] = LLVMGetParam(fn, 0);
  int n = 0;
  for (; types[n]; n++) {
    LLVMValueRef i = emit_int64(m, n), cell = LLVMBuildGEP2(k->builder, m->ptr, k->table, &i, 1, "");
    LLVMTypeRef t = types[n] == 'p' ? m->ptr : types[n] == 'l' ? m->i64 : m->i32;
    args[n + 1] = LLVMBuildLoad2(k->builder, t, cell, "");
  }
  LLVMValueRef value = emit_runtime_call(k, result, symbol, args, n + 1);
  LLVMBuildRet(k->builder, result == m->void_t ? LLVMConstInt(m->i32, 0, 0) : value);
  emit_kernel_done(k);
  return fn;
}

static int32_t is_double(const Node *n) { return n->dtype == DT_F64; }

static int32_t index_type(const Node *n) {
  return n->dtype == DT_I32 ? REG_INDEX_I32 : n->dtype == DT_F32 ? REG_INDEX_F32 : REG_INDEX_F64;
}

Launch emit_library_call(Emitter *m, const LoopStep *s) {
  const Node *n = s->node, *x = n->in[0], *y = n->nin > 1 ? n->in[1] : NULL;
  Call c = {.m = m, .s = s};
  enum { RETURNS_void, RETURNS_int32_t } status = RETURNS_void;
  const char *name = NULL;
#define at(i)               at_buffer(s->in[i])
#define given(i)            (i < n->nin ? at_buffer(s->in[i]) : number(0))
#define result(i)           at_buffer(s->parts ? s->parts[i] : s->out)
#define work                at_buffer(s->work)
#define place               text(m, n->name)
#define P(parameter, value) add(&c, 'p', value);
#define L(parameter, value) add(&c, 'l', number(value));
#define W(parameter, value) add(&c, 'w', number(value));
#define CALL(op, symbol, returns, arguments, work_bytes)                                                     \
  case OP_##op:                                                                                              \
    arguments name = #symbol;                                                                                \
    status = RETURNS_##returns;                                                                              \
    break;
  switch (n->op) {
#include <reg/calls.def>
  default: ice("llvm", "no library call for %s", op_info[n->op].text);
  }
#undef at
#undef given
#undef result
#undef work
#undef place
#undef P
#undef L
#undef W
#undef CALL
  c.launch.fn = unpacker(m, name, c.types, status == RETURNS_void ? m->void_t : m->i32);
  return c.launch;
}

Launch emit_copy(Emitter *m, const LoopStep *s) {
  Call c = {.m = m, .s = s};
  add(&c, 'p', at_buffer(s->out));
  add(&c, 'p', at_buffer(s->in[0]));
  add(&c, 'l', number(node_bytes(s->out->node)));
  c.launch.fn = unpacker(m, "reg_copy", c.types, m->void_t);
  return c.launch;
}
