// The compiler's own names: table of builtins.def and the parameters of a signature.
#ifndef SEMA_BUILTINS_H
#define SEMA_BUILTINS_H
#include <stdbool.h>

typedef enum Builtin {
#define BUILTIN(id, name, signature, function, description) B_##id,
#include "builtins.def"
#undef BUILTIN
  B_COUNT_
} Builtin;

typedef struct BuiltinInfo {
  const char *name, *signature, *description;
} BuiltinInfo;
extern const BuiltinInfo builtin_info[B_COUNT_];

int builtin_find(const char *name); // Builtin, or -1
// A source of data, such as csv.
static inline bool is_source(int b) { return b >= B_CSV && b < B_SCALE; }

// KIND(ID, word in signatures, how messages say it). A number, a truth value, a list of numbers and a field
// of the data are tensors too; a share such as 50% is a number.
#define ARG_KINDS(KIND)                                                                                      \
  KIND(TENSOR, "tensor", "a tensor or a number")                                                             \
  KIND(TREE, "tree", "a tree of parameters")                                                                 \
  KIND(TIME, "time", "a time")                                                                               \
  KIND(NUMBER, "number", "a number")                                                                         \
  KIND(INT, "int", "a whole number")                                                                         \
  KIND(BOOL, "bool", "true or false")                                                                        \
  KIND(AXIS, "axis", "an axis")                                                                              \
  KIND(AXES, "axes", "an axis or a list of axes")                                                            \
  KIND(SHAPE, "shape", "a shape such as [3, 4]")                                                             \
  KIND(RANGE, "range", "a range low .. high")                                                                \
  KIND(INDEX, "index", "indices")                                                                            \
  KIND(TEXT, "text", "a text")                                                                               \
  KIND(MODEL, "model", "a model")
typedef enum ArgKind {
#define KIND(id, word, text) ARG_##id,
  ARG_KINDS(KIND)
#undef KIND
      ARG_KIND_COUNT
} ArgKind;
extern const char *const arg_kind_text[ARG_KIND_COUNT];

enum { BUILTIN_MAX_PARAMS = 20 };
typedef struct Signature {
  int n, positional; // those behind `positional` are given by name only
  struct {
    char name[16];
    unsigned kinds; // bits, 1 << ArgKind
    bool optional, many;
  } param[BUILTIN_MAX_PARAMS];
} Signature;
Signature builtin_signature(Builtin b); // n = 0 for values
#endif
