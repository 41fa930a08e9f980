// A whole function as a module, with the vector mathematics that its kernels call, optimized.
#include "emit.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

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
  map_init(&m.codes, scratch);
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
