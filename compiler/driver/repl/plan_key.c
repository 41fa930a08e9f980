// What a data set is made of, as a text: data that are made in the same way are read once in a session. All
// members of the plan's structures are part of it, by their rows in reg/data.def.
#include "../program_table.h"
#include "repl.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add_bytes(StrBuf *b, const void *from, size_t size) {
  const unsigned char *bytes = from;
  for (size_t i = 0; i < size; i++)
    if (bytes[i]) strbuf_addf(b, "%zx=%x", i, (unsigned)bytes[i]);
  strbuf_add(b, ",");
}

static void add_text(StrBuf *b, const char *text) {
  strbuf_addf(b, text ? "%zu:%s" : "-", text ? strlen(text) : 0, text ? text : "");
}

static void add_texts(StrBuf *b, const char *const *texts, int64_t n) {
  for (int64_t i = 0; i < n; i++) add_text(b, texts[i]);
}

static void add_function(StrBuf *b, const reg_function *f) {
  char *text = NULL;
  size_t size;
  FILE *out = f ? open_memstream(&text, &size) : NULL;
  if (!f) return;
  if (!out) ice("repl", "out of memory");
  graph_print(out, function_loops(f)->graph);
  fclose(out);
  add_text(b, text);
  free(text);
}

#define STRUCT(name) static void add_##name(StrBuf *b, const name *list, int64_t n);
#include "reg/structures_rest.h"
// the rows
#include "reg/data.def"
#include "reg/structures_end.h"

#define STRUCT(name)                                                                                         \
  __attribute__((unused)) static void add_##name(StrBuf *b, const name *list, int64_t n) {                   \
    for (int64_t row = 0; row < n; row++) {                                                                  \
      const name *x = &list[row];
#define VALUE(type, member)            add_bytes(b, &x->member, sizeof x->member);
#define VALUES(type, member, n)        add_bytes(b, x->member, sizeof x->member);
#define TEXT(member)                   add_text(b, x->member);
#define TEXTS(member, count)           add_texts(b, x->member, x->count);
#define TEXTS_INSIDE(member, n, count) add_texts(b, x->member, x->count);
#define LIST(type, member, count)      add_##type(b, x->member, x->count);
#define CHANGING(type, member, count)  LIST(type, member, count)
#define NUMBERS(type, member, count)   add_bytes(b, x->member, (size_t)x->count * sizeof(type));
#define BYTES(member, bytes)           add_bytes(b, x->member, bytes);
#define FUNCTION(member)               add_function(b, x->member);
#define CODE(type, member)
#define ROOM(type, member, count)
#define PROCESS(type, member)
#define END(name)                                                                                            \
  }                                                                                                          \
  }
#include "reg/data.def"
#include "reg/structures_end.h"

static void add_file(StrBuf *b, const char *path) {
  struct stat st = {0};
  if (path) stat(path, &st);
  strbuf_addf(b, "%lld.%ld %lld ", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size);
}

// Data sets that this one is made of live as long: whoever uses it uses them too. Their places in the program
// may be others in the next entry.
static void add_step(StrBuf *b, const reg_data_plan *plan, const reg_data_op *op) {
  const bool other = op->kind == REG_DATA_FROM || op->kind == REG_DATA_ROWS || op->kind == REG_DATA_JOIN;
  reg_data_op one = *op;
  reg_data_other *others = ARENA_ARRAY(b->arena, reg_data_other, op->nothers + 1);
  strbuf_addf(b, "%p ", other ? (const void *)plan->earlier[op->from] : NULL);
  for (int i = 0; i < op->nothers; i++) {
    strbuf_addf(b, "%p ", (const void *)plan->earlier[op->others[i].data]);
    others[i] = op->others[i];
    others[i].data = 0;
  }
  one.from = 0;
  one.others = others;
  add_reg_data_op(b, &one, 1);
  add_file(b, op->path);
  add_file(b, op->labels);
  for (int i = 0; i < op->nmore; i++) add_file(b, op->more[i]);
  for (int i = 0; op->nforms && i < op->form->nown; i++) add_file(b, op->form->own[i].column); // of .npy
  if (op->fn) strbuf_addf(b, "%llu", (unsigned long long)plan->seed);
  strbuf_add(b, "\n");
}

const char *plan_key(Arena *a, const reg_data_plan *plan) {
  StrBuf b = {.arena = a};
  strbuf_addf(&b, "%d\n", (int)plan->dtype);
  for (int i = 0; i < plan->nops; i++) add_step(&b, plan, &plan->ops[i]);
  return b.data;
}
