// Objects and texts: one LoopFn as machine code, taken from the cache where it is there; data as an object.
#include "emit.h"
#include <string.h>

static LLVMMemoryBufferRef compile(Arena *a, const LoopFn *f, const char *symbol, LLVMTargetMachineRef tm,
                                   int opt_level, LLVMCodeGenFileType type, const char **error) {
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef module = emit_module(context, f, symbol, tm, opt_level, error);
  LLVMMemoryBufferRef code = NULL;
  char *message = NULL;
  if (module && LLVMTargetMachineEmitToMemoryBuffer(tm, module, type, &message, &code)) {
    *error = arena_printf(a, "LLVM: %s", llvm_text(a, message));
    code = NULL;
  }
  if (module) LLVMDisposeModule(module);
  LLVMContextDispose(context);
  return code;
}

const char *symbol_of(Arena *a, const char *key) { return arena_printf(a, "reg_%s", key); }

LLVMMemoryBufferRef fresh_object(Arena *a, const LoopFn *f, const BackendOptions *o, const char *key,
                                 LLVMTargetMachineRef *tm, const char **error) {
  if (!*tm) *tm = target_machine(a, o, error);
  if (!*tm) return NULL;
  LLVMMemoryBufferRef object = compile(a, f, symbol_of(a, key), *tm, o->opt_level, LLVMObjectFile, error);
  if (object && o->cache_dir) cache_write(o->cache_dir, key, object);
  return object;
}

static Code copied(Arena *a, const char *bytes, size_t size) {
  return (Code){arena_strndup(a, bytes, size), size};
}

// The buffer's bytes; the buffer is gone afterwards. NULL is fine.
static bool taken(Arena *a, LLVMMemoryBufferRef buffer, Code *code) {
  if (!buffer) return false;
  *code = copied(a, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
  LLVMDisposeMemoryBuffer(buffer);
  return true;
}

static bool module_text(Arena *a, const LoopFn *f, LLVMTargetMachineRef tm, int opt_level, Code *code,
                        const char **error) {
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef module = emit_module(context, f, f->name, tm, opt_level, error);
  if (module) {
    const char *text = llvm_text(a, LLVMPrintModuleToString(module));
    *code = (Code){text, strlen(text)};
    LLVMDisposeModule(module);
  }
  LLVMContextDispose(context);
  return module != NULL;
}

bool emit(Arena *a, const LoopFn *f, const BackendOptions *o, const char *what, Code *code,
          const char **error) {
  LLVMTargetMachineRef tm = target_machine(a, o, error);
  if (!tm) return false;
  const LLVMCodeGenFileType type = strcmp(what, "asm") == 0 ? LLVMAssemblyFile : LLVMObjectFile;
  const bool ok = strcmp(what, "llvm") == 0
                      ? module_text(a, f, tm, o->opt_level, code, error)
                      : taken(a, compile(a, f, f->name, tm, o->opt_level, type, error), code);
  LLVMDisposeTargetMachine(tm);
  return ok;
}

bool function_object(Arena *a, const LoopFn *f, const BackendOptions *o, Code *code, const char **symbol,
                     bool *cached, const char **error) {
  const char *key = cache_key(a, f, o, cache_identity(a, target_identity(a, o)));
  LLVMTargetMachineRef tm = NULL;
  LLVMMemoryBufferRef object = o->cache_dir ? cache_read(o->cache_dir, key) : NULL;
  *cached = object != NULL;
  *symbol = symbol_of(a, key);
  if (!object) object = fresh_object(a, f, o, key, &tm, error);
  if (tm) LLVMDisposeTargetMachine(tm);
  return taken(a, object, code);
}

// -- data

static LLVMValueRef bytes_constant(LLVMContextRef c, const DataImage *d, int64_t from, int64_t to) {
  return LLVMConstStringInContext(c, d->bytes + from, (unsigned)(to - from), 1);
}

// A packed structure: runs of bytes with addresses between them.
static void define_data(Arena *a, LLVMModuleRef module, const DataImage *d) {
  LLVMContextRef c = LLVMGetModuleContext(module);
  LLVMTypeRef byte = LLVMInt8TypeInContext(c), word = LLVMInt64TypeInContext(c),
              pointer = LLVMPointerTypeInContext(c, 0);
  LLVMTypeRef *types = ARENA_ARRAY(a, LLVMTypeRef, 2 * d->nfixups + 1);
  LLVMValueRef *values = ARENA_ARRAY(a, LLVMValueRef, 2 * d->nfixups + 1);
  unsigned n = 0;
  int64_t at = 0;
  for (int i = 0; i < d->nfixups; at = d->fixups[i++].at + 8) {
    if (d->fixups[i].at > at) types[n++] = LLVMArrayType2(byte, (uint64_t)(d->fixups[i].at - at));
    types[n++] = pointer;
  }
  if (at < d->size) types[n++] = LLVMArrayType2(byte, (uint64_t)(d->size - at));
  LLVMTypeRef type = LLVMStructTypeInContext(c, types, n, 1);
  LLVMValueRef data = LLVMAddGlobal(module, type, d->symbol);
  n = 0;
  at = 0;
  for (int i = 0; i < d->nfixups; at = d->fixups[i++].at + 8) {
    const Fixup *f = &d->fixups[i];
    if (f->at > at) values[n++] = bytes_constant(c, d, at, f->at);
    if (f->symbol) {
      LLVMValueRef known = LLVMGetNamedGlobal(module, f->symbol);
      values[n++] = known ? known : LLVMAddGlobal(module, byte, f->symbol);
    } else {
      LLVMValueRef offset = LLVMConstInt(word, (unsigned long long)f->target, 0);
      values[n++] = LLVMConstInBoundsGEP2(byte, data, &offset, 1);
    }
  }
  if (at < d->size) values[n++] = bytes_constant(c, d, at, d->size);
  LLVMSetInitializer(data, LLVMConstStructInContext(c, values, n, 1));
  LLVMSetAlignment(data, 64);
}

static void define_thunk(LLVMModuleRef module, const Thunk *t, LLVMValueRef data) {
  LLVMContextRef c = LLVMGetModuleContext(module);
  LLVMTypeRef pointer = LLVMPointerTypeInContext(c, 0), word = LLVMInt64TypeInContext(c),
              number = LLVMInt32TypeInContext(c);
  LLVMTypeRef outer[] = {word, word, word}, inner[] = {pointer, word, word, word};
  LLVMTypeRef inner_type = LLVMFunctionType(number, inner, 4, 0);
  LLVMValueRef fn = LLVMAddFunction(module, t->name, LLVMFunctionType(number, outer, 3, 0));
  LLVMValueRef target = LLVMAddFunction(module, t->target, inner_type);
  LLVMBuilderRef b = LLVMCreateBuilderInContext(c);
  LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(c, fn, ""));
  LLVMValueRef args[] = {data, LLVMGetParam(fn, 0), LLVMGetParam(fn, 1), LLVMGetParam(fn, 2)};
  LLVMBuildRet(b, LLVMBuildCall2(b, inner_type, target, args, 4, ""));
  LLVMDisposeBuilder(b);
}

bool data_object(Arena *a, const DataImage *d, const BackendOptions *o, Code *code, const char **error) {
  LLVMTargetMachineRef tm = target_machine(a, o, error);
  if (!tm) return false;
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef module = LLVMModuleCreateWithNameInContext(d->symbol, context);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
  LLVMSetModuleDataLayout(module, layout);
  LLVMDisposeTargetData(layout);
  char *message = NULL;
  LLVMSetTarget(module, llvm_text(a, LLVMGetTargetMachineTriple(tm)));
  define_data(a, module, d);
  for (int i = 0; i < d->nthunks; i++)
    define_thunk(module, &d->thunks[i], LLVMGetNamedGlobal(module, d->symbol));
  LLVMMemoryBufferRef object = NULL;
  if (LLVMTargetMachineEmitToMemoryBuffer(tm, module, LLVMObjectFile, &message, &object)) {
    *error = arena_printf(a, "LLVM: %s", llvm_text(a, message));
    object = NULL;
  }
  LLVMDisposeModule(module);
  LLVMContextDispose(context);
  LLVMDisposeTargetMachine(tm);
  return taken(a, object, code);
}
