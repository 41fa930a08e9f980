// ORC's just-in-time compiler, fed with objects: fresh ones from emit_module, or from the cache. See
// backend.h.
#include "emit.h"
#include "kernels/double.h"
#include "kernels/special.h"
#include "kernels/vmath.h"
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <reg/abi.h>
#include <string.h>

typedef struct Jit {
  Arena *arena;
  BackendOptions options;
  const char *identity;
  VEC(LLVMOrcLLJITRef) all; // objects go to the last one
  LLVMTargetMachineRef tm;  // made when something is compiled first
  Map added;                // where the function of a key is
} Jit;

// What compiled code may call. Defined by address, so the program need not export its symbols.
static const struct {
  const char *name;
  void *address;
} runtime_symbols[] = {
#define SYMBOL(f) {#f, (void *)(uintptr_t)f},
    SYMBOL(reg_steps) SYMBOL(reg_copy) SYMBOL(reg_turns) SYMBOL(reg_vreduce_large) SYMBOL(reg_vphilox)
        SYMBOL(memcpy) SYMBOL(memset)
#define CALL(op, symbol, result, arguments, work) SYMBOL(symbol)
#define UNARY(f)                                  SYMBOL(reg_d##f) SYMBOL(reg_v##f)
#define BINARY(f)                                 UNARY(f)
#include "kernels/special.def"
#include "kernels/vmath.def"
#include "reg/calls.def"
#undef CALL
#undef UNARY
#undef BINARY
#undef SYMBOL
};
enum { NSYMBOLS = sizeof runtime_symbols / sizeof runtime_symbols[0] };

static LLVMErrorRef define_runtime(LLVMOrcLLJITRef j) {
  LLVMOrcCSymbolMapPair pairs[NSYMBOLS];
  for (int i = 0; i < NSYMBOLS; i++) {
    pairs[i].Name = LLVMOrcLLJITMangleAndIntern(j, runtime_symbols[i].name);
    pairs[i].Sym.Address = (LLVMOrcExecutorAddress)(uintptr_t)runtime_symbols[i].address;
    pairs[i].Sym.Flags.GenericFlags = LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable;
    pairs[i].Sym.Flags.TargetFlags = 0;
  }
  return LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(j), LLVMOrcAbsoluteSymbols(pairs, NSYMBOLS));
}

// What fails is told by what returns.
static void keep_quiet(void *user, LLVMErrorRef e) {
  (void)user;
  LLVMConsumeError(e);
}

// The objects to come are linked apart from those before.
static bool jit_renew(Jit *j, const char **error) {
  LLVMOrcLLJITRef fresh;
  if (llvm_failed(j->arena, LLVMOrcCreateLLJIT(&fresh, NULL), error)) return false;
  LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(fresh), keep_quiet, NULL);
  vec_push(j->arena, j->all, fresh);
  return !llvm_failed(j->arena, define_runtime(fresh), error);
}

static Jit *jit_new(Arena *a, const BackendOptions *o, const char **error) {
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
  Jit *j = ARENA_NEW(a, Jit);
  j->arena = a;
  j->options = *o;
  j->identity = cache_identity(a, target_identity(a, o));
  map_init(&j->added, a);
  return jit_renew(j, error) ? j : NULL;
}

static void jit_free(Jit *j) {
  if (j->tm) LLVMDisposeTargetMachine(j->tm);
  for (int i = 0; i < j->all.len; i++) {
    LLVMErrorRef e = LLVMOrcDisposeLLJIT(j->all.data[i]);
    if (e) LLVMConsumeError(e);
  }
}

static CompiledFn find(Jit *j, LLVMOrcLLJITRef in, const char *symbol, const char **error) {
  LLVMOrcExecutorAddress address = 0;
  if (llvm_failed(j->arena, LLVMOrcLLJITLookup(in, &address, symbol), error)) return NULL;
  return (CompiledFn)(uintptr_t)address;
}

// The function's code, linked; the object is gone afterwards.
static CompiledFn link(Jit *j, const char *key, LLVMMemoryBufferRef object, const char **error) {
  LLVMOrcLLJITRef in = j->all.data[j->all.len - 1];
  if (llvm_failed(j->arena, LLVMOrcLLJITAddObjectFile(in, LLVMOrcLLJITGetMainJITDylib(in), object), error))
    return NULL;
  CompiledFn fn = find(j, in, symbol_of(j->arena, key), error);
  if (fn) map_put(&j->added, key, in);
  return fn;
}

static CompiledFn jit_add(Jit *j, const LoopFn *f, bool *cached, const char **error) {
  const char *key = cache_key(j->arena, f, &j->options, j->identity);
  LLVMOrcLLJITRef in = map_get(&j->added, key);
  *cached = true;
  if (in) return find(j, in, symbol_of(j->arena, key), error);
  LLVMMemoryBufferRef object = j->options.cache_dir ? cache_read(j->options.cache_dir, key) : NULL;
  CompiledFn fn = object ? link(j, key, object, error) : NULL;
  if (fn) return fn;
  *cached = false;
  if (object && !jit_renew(j, error)) return NULL; // what the cache held does not link
  object = fresh_object(j->arena, f, &j->options, key, &j->tm, error);
  return object ? link(j, key, object, error) : NULL;
}

static const char *host_cpu(Arena *a) { return llvm_text(a, LLVMGetHostCPUName()); }

static const char *describe(Arena *a) {
  unsigned major, minor, patch;
  LLVMGetVersion(&major, &minor, &patch);
  return arena_printf(a, "LLVM %u.%u.%u, x86_64, %s, %d lanes", major, minor, patch, host_cpu(a), LANES);
}

const Backend *backend_default(void) {
  static const Backend llvm = {"llvm",          jit_new,     jit_add,  jit_free, emit,
                               function_object, data_object, host_cpu, describe};
  return &llvm;
}
