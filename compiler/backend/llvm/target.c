// The machine: CPU, features, and LLVM's description of it.
#include "emit.h"
#include <llvm-c/Target.h>
#include <string.h>

char *llvm_text(Arena *a, char *text) {
  if (!text) ice("llvm", "out of memory");
  char *copy = arena_strdup(a, text);
  LLVMDisposeMessage(text);
  return copy;
}

bool llvm_failed(Arena *a, LLVMErrorRef e, const char **error) {
  if (!e) return false;
  char *message = LLVMGetErrorMessage(e);
  *error = arena_printf(a, "LLVM: %s", message);
  LLVMDisposeErrorMessage(message);
  return true;
}

// A named CPU brings its own features; those of this machine belong to this machine's name. AVX-512 is left
// out: eight lanes of float need nothing of it, and LLVM 19.1.7 exchanges operands of a masked vpternlogd
// (the sign taken from another vector, then a select) without exchanging them in its truth table, which gives
// wrong numbers.
static void cpu_and_features(Arena *a, const BackendOptions *o, const char **cpu, const char **features) {
  *cpu = o->cpu;
  *features = "-avx512f";
  if (o->cpu) return;
  *cpu = llvm_text(a, LLVMGetHostCPUName());
  *features = arena_printf(a, "%s,-avx512f", llvm_text(a, LLVMGetHostCPUFeatures()));
}

char *target_identity(Arena *a, const BackendOptions *o) {
  const char *cpu, *features;
  cpu_and_features(a, o, &cpu, &features);
  return arena_printf(a, "%s %s -O%d", cpu, features, o->opt_level);
}

LLVMTargetMachineRef target_machine(Arena *a, const BackendOptions *o, const char **error) {
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
  const char *cpu, *features;
  cpu_and_features(a, o, &cpu, &features);
  char *triple = llvm_text(a, LLVMGetDefaultTargetTriple()), *message = NULL;
  LLVMTargetRef target = NULL;
  LLVMTargetMachineRef tm = NULL;
  if (LLVMGetTargetFromTriple(triple, &target, &message)) {
    *error = arena_printf(a, "LLVM: %s", llvm_text(a, message));
  } else {
    LLVMCodeGenOptLevel level = o->opt_level == 0   ? LLVMCodeGenLevelNone
                                : o->opt_level >= 3 ? LLVMCodeGenLevelDefault
                                                    : LLVMCodeGenLevelLess;
    tm = LLVMCreateTargetMachine(target, triple, cpu, features, level, LLVMRelocPIC, LLVMCodeModelDefault);
  }
  return tm;
}
