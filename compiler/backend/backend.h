// A backend turns LoopFns into code. LLVM is included only below backend/llvm/.
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H
#include "../loops/loops.h"

typedef struct BackendOptions {
  int opt_level;         // -O0..3
  const char *cpu;       // NULL: this machine's
  const char *cache_dir; // object cache; NULL: none
  const char *version;   // the compiler's, part of the cache key
} BackendOptions;

// int32_t f(reg_ctx *, void *const *slots); see runtime/include/reg/abi.h
typedef int (*CompiledFn)(void *ctx, void *const *slots);

// Data of a program as it shall lie in memory: bytes in which some places hold addresses, of other places of
// the same bytes or of symbols.
typedef struct Fixup {
  int64_t at;         // where the address goes, a multiple of 8; ascending
  int64_t target;     // an offset into the bytes, or
  const char *symbol; // the name of a function or variable
} Fixup;

// `int name(a, b, c)`, three words, calls target(&data, a, b, c).
typedef struct Thunk {
  const char *name, *target;
} Thunk;

typedef struct DataImage {
  const char *symbol; // names the first byte
  const char *bytes;
  int64_t size;
  const Fixup *fixups;
  int nfixups;
  const Thunk *thunks;
  int nthunks;
} DataImage;

typedef struct Code {
  const char *bytes;
  size_t size;
} Code;

typedef struct Backend {
  const char *name;
  struct Jit *(*jit_new)(Arena *a, const BackendOptions *o, const char **error);
  // Compiles one function, or takes it from the object cache; NULL and a message on failure. *cached says
  // which.
  CompiledFn (*jit_add)(struct Jit *j, const LoopFn *f, bool *cached, const char **error);
  void (*jit_free)(struct Jit *j);
  // Text ("llvm", "asm") or an object ("obj") of one function. Code lies in the arena; false and a message on
  // failure.
  bool (*emit)(Arena *a, const LoopFn *f, const BackendOptions *o, const char *what, Code *code,
               const char **error);
  // The object of one function, fresh or from the cache; the function's name in *symbol.
  bool (*function_object)(Arena *a, const LoopFn *f, const BackendOptions *o, Code *code, const char **symbol,
                          bool *cached, const char **error);
  // Data as an object.
  bool (*data_object)(Arena *a, const DataImage *d, const BackendOptions *o, Code *code, const char **error);
  const char *(*host_cpu)(Arena *a); // "znver3"
  const char *(*describe)(Arena *a); // "LLVM 19.1.7, x86_64, znver3, 8 lanes"
} Backend;

const Backend *backend_default(void);
#endif
