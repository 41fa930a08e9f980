// A whole function as a module: internal functions for the kernels, one for all that are equal, and the
// function that runs the steps in order.
#include "emit.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

static LLVMValueRef add_function(Emitter *m, const char *name, LLVMTypeRef t) {
  LLVMValueRef fn = LLVMAddFunction(m->module, name, t);
  unsigned kind = LLVMGetEnumAttributeKindForName("nounwind", strlen("nounwind"));
  LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(m->context, kind, 0));
  return fn;
}

static Kernel *kernel_new(Emitter *m, LLVMValueRef fn) {
  Kernel *k = ARENA_NEW(m->arena, Kernel);
  k->m = m;
  k->fn = fn;
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

static void kernel_done(Kernel *k) {
  LLVMDisposeBuilder(k->entry_builder);
  LLVMDisposeBuilder(k->builder);
  LLVMDisposeBuilder(k->hoisted);
}

// void kernel(void *const *args, int64_t begin, int64_t end): its nest for each of these pieces. The
// arguments are the buffers' addresses, then the streams of its draws.
static LLVMTypeRef piece_type(Emitter *m) {
  LLVMTypeRef params[] = {m->ptr, m->i64, m->i64};
  return LLVMFunctionType(m->void_t, params, 3, 0);
}

typedef struct KernelUse { // of a step
  const char *text;
  KernelArgs args;
} KernelUse;

static LLVMValueRef emit_kernel(Emitter *m, const LoopStep *s, const KernelArgs *args) {
  LLVMValueRef fn = add_function(m, s->name, piece_type(m));
  LLVMSetLinkage(fn, LLVMInternalLinkage);
  Kernel *k = kernel_new(m, fn);
  k->args = args;
  k->address = ARENA_ARRAY(m->arena, LLVMValueRef, args->buffers.len + args->draws.len + 1);
  if (s->pieces == 1) {
    emit_nest(k, s->nest, 1, NULL);
  } else {
    LLVMValueRef begin = LLVMGetParam(fn, 1), end = LLVMGetParam(fn, 2);
    CountedLoop l = emit_loop_begin(k, begin, end);
    emit_nest(k, s->nest, s->pieces, l.index);
    emit_loop_end(k, &l, LLVMBuildNSWAdd(k->builder, l.index, emit_int64(m, 1), ""));
  }
  LLVMBuildRetVoid(k->builder);
  kernel_done(k);
  return fn;
}

// The table of arguments of the call at hand; the callee is done with it when it returns.
static LLVMValueRef fill_args(Kernel *k, const KernelArgs *args) {
  Emitter *m = k->m;
  for (int i = 0; i < args->buffers.len + args->draws.len; i++) {
    LLVMValueRef number = emit_int64(m, i), at = LLVMBuildGEP2(k->builder, m->ptr, m->table, &number, 1, "");
    const bool draw = i >= args->buffers.len;
    LLVMBuildStore(k->builder,
                   draw ? emit_int64(m, args->draws.data[i - args->buffers.len]->attr[0])
                        : emit_buffer(k, args->buffers.data[i]),
                   at);
  }
  return m->table;
}

static void emit_kernel_call(Kernel *k, LLVMValueRef ctx, const LoopStep *s, const KernelUse *use) {
  Emitter *m = k->m;
  LLVMValueRef fn = map_get(&m->kernels, use->text);
  if (!fn) map_put(&m->kernels, use->text, fn = emit_kernel(m, s, &use->args));
  LLVMValueRef table = fill_args(k, &use->args);
  if (s->pieces == 1)
    LLVMBuildCall2(k->builder, piece_type(m), fn, (LLVMValueRef[]){table, emit_int64(m, 0), emit_int64(m, 1)},
                   3, "");
  else
    emit_runtime_call(k, m->void_t, "reg_parallel",
                      (LLVMValueRef[]){ctx, fn, table, emit_int64(m, s->pieces)}, 4);
  emit_combine(k, s->nest, s->pieces);
}

static void emit_step(Kernel *k, LLVMValueRef ctx, const LoopStep *s, const KernelUse *use) {
  Emitter *m = k->m;
  switch (s->kind) {
  case STEP_KERNEL: emit_kernel_call(k, ctx, s, use); return;
  case STEP_GEMM:
  case STEP_CALL: emit_library_call(k, ctx, s); return;
  case STEP_LOOP: emit_loop_step(k, ctx, s); return;
  case STEP_COPY:
    LLVMBuildMemCpy(k->builder, emit_buffer(k, s->out), 4, emit_buffer(k, s->in[0]), 4,
                    emit_int64(m, node_bytes(s->out->node)));
  }
}

static void emit_steps(Emitter *m, Kernel *k, LLVMValueRef ctx) {
  const LoopFn *f = m->f;
  KernelTexts *texts = kernel_texts(m->arena, f);
  KernelUse *uses = ARENA_ARRAY(m->arena, KernelUse, f->nsteps + 1);
  int most = 1;
  for (int i = 0; i < f->nsteps; i++) {
    KernelUse *u = &uses[i];
    if (f->steps[i].kind != STEP_KERNEL) continue;
    u->text = kernel_text(texts, &f->steps[i], &u->args);
    const int n = u->args.buffers.len + u->args.draws.len;
    if (n > most) most = n;
  }
  m->table = emit_local(k, LLVMArrayType2(m->ptr, (uint64_t)most));
  for (int i = 0; i < f->nsteps; i++) emit_step(k, ctx, &f->steps[i], &uses[i]);
}

LLVMValueRef emit_fn(Emitter *m, const LoopFn *f, const char *name) {
  const Emitter outer = *m;
  m->f = f;
  m->number = m->functions++;
  LLVMTypeRef params[] = {m->ptr, m->ptr};
  LLVMValueRef fn = add_function(m, name, LLVMFunctionType(m->i32, params, 2, 0));
  Kernel *k = kernel_new(m, fn);
  emit_steps(m, k, LLVMGetParam(fn, 0));
  LLVMBuildRet(k->builder, LLVMConstInt(m->i32, 0, 0));
  kernel_done(k);
  m->f = outer.f;
  m->number = outer.number;
  m->table = outer.table;
  return fn;
}

extern const unsigned char reg_vmath_bitcode[];
extern const unsigned long reg_vmath_bitcode_size;

// Where another body calls f, a declaration of it stays.
static void drop_body(Emitter *m, LLVMModuleRef vmath, LLVMValueRef f) {
  size_t length;
  const char *name = arena_strdup(m->arena, LLVMGetValueName2(f, &length));
  LLVMValueRef declared = LLVMGetFirstUse(f) ? LLVMAddFunction(vmath, "", LLVMGlobalGetValueType(f)) : NULL;
  if (declared) LLVMReplaceAllUsesWith(f, declared);
  LLVMDeleteFunction(f);
  if (declared) LLVMSetValueName2(declared, name, length);
}

// The bodies of the vector mathematics, for inlining only: calls that stay refer to the runtime's own copy,
// which has the same bits.
static bool link_vmath(Emitter *m, const char **error) {
  LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRange((const char *)reg_vmath_bitcode,
                                                                     reg_vmath_bitcode_size, "vmath", 0);
  LLVMModuleRef vmath = NULL;
  LLVMBool failed = LLVMParseBitcodeInContext2(m->context, buffer, &vmath);
  LLVMDisposeMemoryBuffer(buffer);
  if (failed) {
    *error = "the embedded vector mathematics cannot be read";
    return false;
  }
  unsigned always = LLVMGetEnumAttributeKindForName("alwaysinline", strlen("alwaysinline"));
  unsigned never = LLVMGetEnumAttributeKindForName("noinline", strlen("noinline"));
  for (LLVMValueRef f = LLVMGetFirstFunction(vmath), next; f; f = next) {
    next = LLVMGetNextFunction(f);
    if (LLVMIsDeclaration(f)) continue;
    size_t length;
    LLVMValueRef wanted = LLVMGetNamedFunction(m->module, LLVMGetValueName2(f, &length));
    bool stays = LLVMGetEnumAttributeAtIndex(f, LLVMAttributeFunctionIndex, never);
    if (stays || (!wanted && !LLVMGetFirstUse(f))) {
      drop_body(m, vmath, f);
      continue;
    }
    LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(m->context, always, 0));
    LLVMSetLinkage(f, LLVMAvailableExternallyLinkage);
  }
  if (!LLVMLinkModules2(m->module, vmath)) return true;
  *error = "the embedded vector mathematics does not fit the module";
  return false;
}

static bool optimize(Emitter *m, LLVMTargetMachineRef tm, int opt_level, const char **error) {
  char *message = NULL;
  if (LLVMVerifyModule(m->module, LLVMReturnStatusAction, &message)) {
    *error = arena_printf(m->f->arena, "LLVM's verifier: %s", llvm_text(m->f->arena, message));
    return false;
  }
  LLVMDisposeMessage(message);
  LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
  const char *passes =
      opt_level >= 3 ? "default<O2>"
                     : "always-inline,function(sroa,early-cse,instcombine<no-verify-fixpoint>,simplifycfg)";
  LLVMErrorRef e = LLVMRunPasses(m->module, passes, tm, options);
  LLVMDisposePassBuilderOptions(options);
  return !llvm_failed(m->f->arena, e, error);
}

LLVMModuleRef emit_module(LLVMContextRef context, const LoopFn *f, const char *symbol,
                          LLVMTargetMachineRef tm, int opt_level, const char **error) {
  Arena *scratch = arena_new();
  Emitter m = {.arena = scratch,
               .f = f,
               .context = context,
               .module = LLVMModuleCreateWithNameInContext(f->name, context)};
  emit_types(&m);
  map_init(&m.kernels, scratch);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
  LLVMSetModuleDataLayout(m.module, layout);
  LLVMDisposeTargetData(layout);
  LLVMSetTarget(m.module, llvm_text(scratch, LLVMGetTargetMachineTriple(tm)));
  emit_fn(&m, f, symbol);
  bool ok = (!m.uses_vmath || opt_level == 0 || link_vmath(&m, error)) && optimize(&m, tm, opt_level, error);
  arena_free(scratch);
  if (ok) return m.module;
  LLVMDisposeModule(m.module);
  return NULL;
}
