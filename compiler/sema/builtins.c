// Builtins: lookup by name, and signatures read from their one-line form.
#include "builtins.h"
#include "../base/session.h"
#include <string.h>

const BuiltinInfo builtin_info[B_COUNT_] = {
#define BUILTIN(id, name, signature, function, description) {name, signature, description},
#include "builtins.def"
#undef BUILTIN
};

const char *const arg_kind_text[ARG_KIND_COUNT] = {
#define KIND(id, word, text) text,
    ARG_KINDS(KIND)
#undef KIND
};

static const char *const kind_words[ARG_KIND_COUNT] = {
#define KIND(id, word, text) word,
    ARG_KINDS(KIND)
#undef KIND
};

int builtin_find(const char *name) {
  for (int i = 0; i < B_COUNT_; i++)
    if (!strcmp(builtin_info[i].name, name)) return i;
  return -1;
}

// The kinds at *p, which is moved behind them.
static unsigned read_kinds(const char **p) {
  unsigned kinds = 0;
  for (bool more = true; more; more = **p == '|', *p += more) {
    size_t len = strcspn(*p, "|?*,;");
    for (int k = 0; k < ARG_KIND_COUNT; k++)
      if (strlen(kind_words[k]) == len && !strncmp(kind_words[k], *p, len)) kinds |= 1u << k;
    *p += len;
  }
  return kinds;
}

Signature builtin_signature(Builtin b) {
  Signature s = {0};
  const char *p = builtin_info[b].signature;
  bool by_name = false;
  while (p && *p) {
    const size_t len = strcspn(p, ":");
    if (s.n == BUILTIN_MAX_PARAMS || len >= sizeof s.param->name)
      ice("sema", "`%s` has more parameters, or a longer name of one, than there is room for",
          builtin_info[b].name);
    memcpy(s.param[s.n].name, p, len);
    p += len + strspn(p + len, ": ");
    s.param[s.n].kinds = read_kinds(&p);
    s.param[s.n].optional = *p == '?';
    s.param[s.n].many = *p == '*';
    p += *p == '?' || *p == '*';
    s.n++;
    if (!by_name) s.positional = s.n;
    by_name = by_name || *p == ';';
    p += strspn(p, ",; ");
  }
  return s;
}
