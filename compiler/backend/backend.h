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

typedef struct Backend {
  const char *name;
  struct Jit *(*jit_new)(Arena *a, const BackendOptions *o, const char **error);
  // Compiles one function, or takes it from the object cache; NULL and a message on failure. *cached says
  // which.
  CompiledFn (*jit_add)(struct Jit *j, const LoopFn *f, bool *cached, const char **error);
  void (*jit_free)(struct Jit *j);
  // Writes text ("llvm", "asm") or an object ("obj") of one function.
  bool (*emit)(const LoopFn *f, const BackendOptions *o, const char *what, const char *path,
               const char **error);
  const char *(*describe)(Arena *a); // "LLVM 19.1.7, x86_64, znver3, 8 lanes"
} Backend;

const Backend *backend_default(void);
#endif
