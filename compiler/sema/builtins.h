// The compiler's own names: table of builtins.def and the parameters of a signature.
#ifndef SEMA_BUILTINS_H
#define SEMA_BUILTINS_H
#include <stdbool.h>

typedef enum Builtin {
#define BUILTIN(id, name, signature, description) B_##id,
#include "builtins.def"
#undef BUILTIN
  B_COUNT_
} Builtin;

typedef struct BuiltinInfo {
  const char *name, *signature, *description;
} BuiltinInfo;
extern const BuiltinInfo builtin_info[B_COUNT_];

int builtin_find(const char *name); // Builtin, or -1

enum { BUILTIN_MAX_PARAMS = 8 };
typedef struct Signature {
  int n;
  struct {
    char name[16];
    bool optional, many;
  } param[BUILTIN_MAX_PARAMS];
} Signature;
Signature builtin_signature(Builtin b); // n = 0 for values
#endif
