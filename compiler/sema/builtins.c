// Builtins: lookup by name, and signatures read from their one-line form.
#include "builtins.h"
#include <string.h>

const BuiltinInfo builtin_info[B_COUNT_] = {
#define BUILTIN(id, name, signature, description) {name, signature, description},
#include "builtins.def"
#undef BUILTIN
};

int builtin_find(const char *name) {
  for (int i = 0; i < B_COUNT_; i++)
    if (!strcmp(builtin_info[i].name, name)) return i;
  return -1;
}

Signature builtin_signature(Builtin b) {
  Signature s = {0};
  const char *p = builtin_info[b].signature;
  while (p && *p && s.n < BUILTIN_MAX_PARAMS) {
    size_t len = strcspn(p, " ");
    size_t word = len;
    if (p[len - 1] == '?') s.param[s.n].optional = true, word--;
    if (p[len - 1] == '*') s.param[s.n].many = true, word--;
    memcpy(s.param[s.n].name, p, word < 15 ? word : 15);
    s.n++;
    p += len;
    while (*p == ' ') p++;
  }
  return s;
}
