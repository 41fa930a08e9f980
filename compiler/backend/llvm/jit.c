// ORC's just-in-time compiler, fed with objects: fresh ones from emit_module, or from the cache. See
// backend.h.
#include "emit.h"
#include "kernels/vmath.h"
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <reg/abi.h>
#include <stdio.h>
#include <string.h>

typedef struct Jit {
  Arena *arena;
  BackendOptions options;
  const char *identity;
  LLVMOrcLLJITRef lljit;
  LLVMTargetMachineRef tm; // made when something is compiled first
  Map added;               // keys of the functions that are there
} Jit;

// What compiled code may call. Defined by address, so the program need not export its symbols.
static const struct {
  const char *name;
  void *address;
} runtime_symbols[] = {
#define SYMBOL(f) {#f, (void *)(uintptr_t)f},
    SYMBOL(reg_parallel) SYMBOL(reg_gemm) SYMBOL(reg_gather) SYMBOL(reg_scatter_add) SYMBOL(reg_take_along)
        SYMBOL(reg_put_along) SYMBOL(reg_argsort) SYMBOL(reg_cumsum) SYMBOL(reg_vexp) SYMBOL(reg_vexpm1)
            SYMBOL(reg_vlog) SYMBOL(reg_vlog1p) SYMBOL(reg_vtanh) SYMBOL(reg_vsigmoid) SYMBOL(reg_verf)
                SYMBOL(reg_verfinv) SYMBOL(reg_vsin) SYMBOL(reg_vcos) SYMBOL(reg_vpow) SYMBOL(reg_vphilox)
                    SYMBOL(memcpy) SYMBOL(memset)
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

static Jit *jit_new(Arena *a, const BackendOptions *o, const char **error) {
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
  Jit *j = ARENA_NEW(a, Jit);
  j->arena = a;
  j->options = *o;
  j->identity = target_identity(a, o);
  map_init(&j->added, a);
  if (llvm_failed(a, LLVMOrcCreateLLJIT(&j->lljit, NULL), error)) return NULL;
  return llvm_failed(a, define_runtime(j->lljit), error) ? NULL : j;
}

static void jit_free(Jit *j) {
  if (j->tm) LLVMDisposeTargetMachine(j->tm);
  LLVMErrorRef e = LLVMOrcDisposeLLJIT(j->lljit);
  if (e) LLVMConsumeError(e);
}

static LLVMMemoryBufferRef compile(Arena *a, const LoopFn *f, const char *symbol, LLVMTargetMachineRef tm,
                                   int opt_level, LLVMCodeGenFileType type, const char **error) {
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef module = emit_module(context, f, symbol, tm, opt_level, error);
  LLVMMemoryBufferRef code = NULL;
  char *message = NULL;
  if (module && LLVMTargetMachineEmitToMemoryBuffer(tm, module, type, &message, &code)) {
    *error = arena_printf(a, "LLVM: %s", message);
    LLVMDisposeMessage(message);
    code = NULL;
  }
  if (module) LLVMDisposeModule(module);
  LLVMContextDispose(context);
  return code;
}

static LLVMMemoryBufferRef object_of(Jit *j, const LoopFn *f, const char *key, const char *symbol,
                                     bool *cached, const char **error) {
  LLVMMemoryBufferRef object = j->options.cache_dir ? cache_read(j->arena, j->options.cache_dir, key) : NULL;
  *cached = object != NULL;
  if (object) return object;
  if (!j->tm) j->tm = target_machine(j->arena, &j->options, error);
  if (!j->tm) return NULL;
  object = compile(j->arena, f, symbol, j->tm, j->options.opt_level, LLVMObjectFile, error);
  if (object && j->options.cache_dir) cache_write(j->arena, j->options.cache_dir, key, object);
  return object;
}

static CompiledFn jit_add(Jit *j, const LoopFn *f, bool *cached, const char **error) {
  const char *key = cache_key(j->arena, f, &j->options, j->identity),
             *symbol = arena_printf(j->arena, "reg_%s", key);
  *cached = true;
  if (!map_get(&j->added, key)) {
    LLVMMemoryBufferRef object = object_of(j, f, key, symbol, cached, error);
    if (!object) return NULL;
    if (llvm_failed(j->arena,
                    LLVMOrcLLJITAddObjectFile(j->lljit, LLVMOrcLLJITGetMainJITDylib(j->lljit), object),
                    error))
      return NULL;
    map_put(&j->added, key, j);
  }
  LLVMOrcExecutorAddress address = 0;
  if (llvm_failed(j->arena, LLVMOrcLLJITLookup(j->lljit, &address, symbol), error)) return NULL;
  return (CompiledFn)(uintptr_t)address;
}

static bool write_file(Arena *a, const char *path, const char *data, size_t size, const char **error) {
  FILE *out = fopen(path, "wb");
  bool ok = out && fwrite(data, 1, size, out) == size;
  if (out) ok = fclose(out) == 0 && ok;
  if (!ok) *error = arena_printf(a, "cannot write %s", path);
  return ok;
}

static bool emit(const LoopFn *f, const BackendOptions *o, const char *what, const char *path,
                 const char **error) {
  LLVMTargetMachineRef tm = target_machine(f->arena, o, error);
  if (!tm) return false;
  bool ok = false;
  if (strcmp(what, "llvm") == 0) {
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = emit_module(context, f, f->name, tm, o->opt_level, error);
    if (module) {
      char *text = LLVMPrintModuleToString(module);
      ok = write_file(f->arena, path, text, strlen(text), error);
      LLVMDisposeMessage(text);
      LLVMDisposeModule(module);
    }
    LLVMContextDispose(context);
  } else {
    LLVMCodeGenFileType type = strcmp(what, "asm") == 0 ? LLVMAssemblyFile : LLVMObjectFile;
    LLVMMemoryBufferRef code = compile(f->arena, f, f->name, tm, o->opt_level, type, error);
    if (code) ok = write_file(f->arena, path, LLVMGetBufferStart(code), LLVMGetBufferSize(code), error);
    if (code) LLVMDisposeMemoryBuffer(code);
  }
  LLVMDisposeTargetMachine(tm);
  return ok;
}

static const char *describe(Arena *a) {
  unsigned major, minor, patch;
  LLVMGetVersion(&major, &minor, &patch);
  char *cpu = LLVMGetHostCPUName();
  const char *text = arena_printf(a, "LLVM %u.%u.%u, x86_64, %s, %d lanes", major, minor, patch, cpu, LANES);
  LLVMDisposeMessage(cpu);
  return text;
}

const Backend *backend_default(void) {
  static const Backend llvm = {"llvm", jit_new, jit_add, jit_free, emit, describe};
  return &llvm;
}
