// The steps of a function as a table for reg_steps. In: a LoopFn. Out: functions for its kernels and loops,
// one for all kernels that are equal; the table with the arguments of each step; the function that hands it
// over.
#include "emit.h"
#include <string.h>

LLVMValueRef emit_function_new(Emitter *m, const char *name, LLVMTypeRef t, bool internal) {
  LLVMValueRef fn = LLVMAddFunction(m->module, name, t);
  unsigned kind = LLVMGetEnumAttributeKindForName("nounwind", strlen("nounwind"));
  LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(m->context, kind, 0));
  if (internal) LLVMSetLinkage(fn, LLVMInternalLinkage);
  return fn;
}

Kernel *emit_kernel_new(Emitter *m, LLVMValueRef fn, const KernelArgs *args, LLVMValueRef table) {
  Kernel *k = ARENA_NEW(m->arena, Kernel);
  k->m = m;
  k->fn = fn;
  k->args = args;
  k->table = table;
  k->address = ARENA_ARRAY(m->arena, LLVMValueRef, args->buffers.len + args->draws.len + 1);
  k->entry = LLVMAppendBasicBlockInContext(m->context, fn, "");
  LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(m->context, fn, "");
  k->entry_builder = LLVMCreateBuilderInContext(m->context);
  k->builder = LLVMCreateBuilderInContext(m->context);
  k->hoisted = LLVMCreateBuilderInContext(m->context);
  LLVMPositionBuilderAtEnd(k->entry_builder, k->entry);
  LLVMPositionBuilderBefore(k->entry_builder, LLVMBuildBr(k->entry_builder, start));
  LLVMPositionBuilderAtEnd(k->builder, start);
  return k;
}

void emit_kernel_done(Kernel *k) {
  LLVMDisposeBuilder(k->entry_builder);
  LLVMDisposeBuilder(k->builder);
  LLVMDisposeBuilder(k->hoisted);
}

LLVMTypeRef emit_call_type(Emitter *m) {
  LLVMTypeRef params[] = {m->ptr, m->ptr};
  return LLVMFunctionType(m->i32, params, 2, 0);
}

// -- kernels, loops and choices

typedef struct StepCode {
  LLVMValueRef fn;      // the nest for each of these pieces, or the call
  LLVMValueRef combine; // the partial sums of the pieces; NULL: there are none
  int64_t pieces;       // 0: a call
} StepCode;

// void kernel(void *const *args, int64_t begin, int64_t end), a reg_piece_fn. The arguments are the buffers'
// addresses, then the streams of its draws.
static Kernel *piece_function(Emitter *m, const char *name, const LoopStep *s, const KernelArgs *args) {
  LLVMTypeRef params[] = {m->ptr, m->i64, m->i64};
  LLVMValueRef fn = emit_function_new(m, name, LLVMFunctionType(m->void_t, params, 3, 0), true);
  Kernel *k = emit_kernel_new(m, fn, args, LLVMGetParam(fn, 0));
  emit_nest_begin(k, s->nest);
  return k;
}

static LLVMValueRef piece_function_done(Kernel *k) {
  LLVMBuildRetVoid(k->builder);
  emit_kernel_done(k);
  return k->fn;
}

static void emit_pieces(Kernel *k) {
  if (k->schedule.pieces == 1) {
    emit_nest(k, NULL);
    return;
  }
  CountedLoop l = emit_loop_begin(k, LLVMGetParam(k->fn, 1), LLVMGetParam(k->fn, 2));
  emit_nest(k, l.index);
  emit_loop_end(k, &l, LLVMBuildNSWAdd(k->builder, l.index, emit_int64(k->m, 1), ""));
}

static bool has_partials(const Nest *nest) {
  bool any = false;
  for (int i = 0; i < nest->nouts; i++) any |= nest->outs[i].partial != NULL;
  return any;
}

static void emit_kernel(Emitter *m, const LoopStep *s, const KernelArgs *args, StepCode *code) {
  Kernel *k = piece_function(m, s->name, s, args);
  code->pieces = k->schedule.pieces;
  emit_pieces(k);
  code->fn = piece_function_done(k);
  if (code->pieces == 1 || !has_partials(s->nest)) return;
  k = piece_function(m, arena_printf(m->arena, "%s_combine", s->name), s, args);
  emit_combine(k);
  code->combine = piece_function_done(k);
}

// A loop or a choice.
static void emit_bodies(Emitter *m, const LoopStep *s, const KernelArgs *args, StepCode *code) {
  const char *name = arena_printf(m->arena, "%s%d", op_info[s->node->op].text, m->functions);
  code->fn = emit_function_new(m, name, emit_call_type(m), true);
  Kernel *k = emit_kernel_new(m, code->fn, args, LLVMGetParam(code->fn, 1));
  (s->kind == STEP_IF ? emit_if_step : emit_loop_step)(k, LLVMGetParam(code->fn, 0), s);
  LLVMBuildRet(k->builder, LLVMConstInt(m->i32, 0, 0));
  emit_kernel_done(k);
}

static const StepCode *step_code(Emitter *m, const LoopStep *s, const char *text, const KernelArgs *args) {
  StepCode *code = map_get(&m->codes, text);
  if (code) return code;
  code = ARENA_NEW(m->arena, StepCode);
  (s->kind == STEP_KERNEL ? emit_kernel : emit_bodies)(m, s, args, code);
  map_put(&m->codes, text, code);
  return code;
}

// -- the table

typedef struct Table {
  VEC(LLVMValueRef) steps, args;
  int most; // arguments of one step
} Table;

static LLVMValueRef structure(Emitter *m, LLVMValueRef *fields, unsigned n) {
  return LLVMConstStructInContext(m->context, fields, n, 0);
}

static LLVMValueRef word(const Emitter *m, int64_t v) {
  return LLVMConstInt(m->i32, (unsigned long long)v, 1);
}

// A reg_argument.
static LLVMValueRef argument(Emitter *m, const Argument *a) {
  LLVMValueRef value = a->address  ? LLVMConstPtrToInt(a->address, m->i64)
                       : a->buffer ? emit_int64(m, a->buffer->offset)
                                   : emit_int64(m, a->number);
  LLVMValueRef fields[] = {emit_int64(m, a->buffer ? a->buffer->slot : -1), value};
  return structure(m, fields, 2);
}

// A reg_step.
static void add_launch(Emitter *m, Table *t, const Launch *l) {
  LLVMValueRef fields[] = {l->fn, word(m, l->pieces), word(m, l->args.len)};
  vec_push(m->arena, t->steps, structure(m, fields, 3));
  for (int i = 0; i < l->args.len; i++) vec_push(m->arena, t->args, argument(m, &l->args.data[i]));
  if (l->args.len > t->most) t->most = l->args.len;
}

static Launch launch_of(Emitter *m, const KernelArgs *args) {
  Launch l = {0};
  for (int i = 0; i < args->buffers.len; i++) {
    const Argument a = {.buffer = args->buffers.data[i]};
    vec_push(m->arena, l.args, a);
  }
  for (int i = 0; i < args->draws.len; i++) {
    const Argument a = {.number = args->draws.data[i]->attr[0]};
    vec_push(m->arena, l.args, a);
  }
  return l;
}

static void add_code(Emitter *m, Table *t, const LoopStep *s, StepTexts *texts) {
  KernelArgs args;
  const char *text = step_text(texts, s, &args);
  const StepCode *code = step_code(m, s, text, &args);
  Launch l = launch_of(m, &args);
  l.fn = code->fn;
  l.pieces = code->pieces;
  add_launch(m, t, &l);
  if (!code->combine) return;
  l.fn = code->combine;
  l.pieces = 1;
  add_launch(m, t, &l);
}

static LLVMValueRef constant(Emitter *m, const char *name, LLVMTypeRef element, LLVMValueRef *values, int n) {
  LLVMValueRef g = LLVMAddGlobal(m->module, LLVMArrayType2(element, (uint64_t)n), name);
  LLVMSetInitializer(g, LLVMConstArray2(element, values, (uint64_t)n));
  LLVMSetLinkage(g, LLVMPrivateLinkage);
  LLVMSetGlobalConstant(g, 1);
  return g;
}

static Table steps_table(Emitter *m, const LoopFn *f) {
  Table t = {.most = 1};
  StepTexts *texts = step_texts(m->arena, f);
  for (int i = 0; i < f->nsteps; i++) {
    const LoopStep *s = &f->steps[i];
    Launch l;
    switch (s->kind) {
    case STEP_KERNEL:
    case STEP_LOOP:
    case STEP_IF: add_code(m, &t, s, texts); continue;
    case STEP_GEMM:
    case STEP_CALL: l = emit_library_call(m, s); break;
    case STEP_COPY: l = emit_copy(m, s); break;
    }
    add_launch(m, &t, &l);
  }
  return t;
}

LLVMValueRef emit_fn(Emitter *m, const LoopFn *f, const char *name) {
  const Emitter outer = *m;
  m->f = f;
  m->number = m->functions++;
  LLVMValueRef fn = emit_function_new(m, name, emit_call_type(m), false);
  const Table t = steps_table(m, f);
  LLVMTypeRef step[] = {m->ptr, m->i32, m->i32}, argument_fields[] = {m->i64, m->i64};
  LLVMValueRef steps =
      constant(m, "steps", LLVMStructTypeInContext(m->context, step, 3, 0), t.steps.data, t.steps.len);
  LLVMValueRef args = constant(m, "arguments", LLVMStructTypeInContext(m->context, argument_fields, 2, 0),
                               t.args.data, t.args.len);
  Kernel *k = emit_kernel_new(m, fn, &(KernelArgs){0}, NULL);
  LLVMValueRef room = emit_local(k, LLVMArrayType2(m->ptr, (uint64_t)t.most));
  LLVMValueRef call[] = {
      LLVMGetParam(fn, 0), LLVMGetParam(fn, 1), steps, emit_int64(m, t.steps.len), args, room};
  LLVMBuildRet(k->builder, emit_runtime_call(k, m->i32, "reg_steps", call, 6));
  emit_kernel_done(k);
  m->f = outer.f;
  m->number = outer.number;
  return fn;
}
