// The loops as text: --emit=kernels, and what the object cache's key is made of; so it holds everything that
// code depends on.
#include "loops.h"
#include <stdlib.h>
#include <string.h>

typedef struct Printer {
  FILE *out;
  Arena *arena;
  const LoopFn *f;
  int *seen; // by node: the nest that printed it last
  int nest;
  bool named; // functions and what they take and give
  // Of a step's text without its arguments: what it names are numbers in the order of their first use.
  KernelArgs *args;
  int *number, *buffer_seen, *buffer_number, nodes;
} Printer;

static int name_of(const Printer *p, const Node *n) { return p->args ? p->number[n->id] : n->id; }

static void print_buffer(Printer *p, const Buffer *b) {
  if (!p->args) {
    fprintf(p->out, "b%d[slot %d + %lld, %lld bytes]", b->id, b->slot, (long long)b->offset,
            (long long)b->bytes);
    return;
  }
  if (p->buffer_seen[b->id] != p->nest) {
    p->buffer_seen[b->id] = p->nest;
    p->buffer_number[b->id] = p->args->buffers.len;
    vec_push(p->arena, p->args->buffers, b);
  }
  fprintf(p->out, "b%d", p->buffer_number[b->id]);
}

static void print_type(FILE *out, const Node *n) {
  fprintf(out, " %s[", dtype_text(n->dtype));
  for (int i = 0; i < n->shape.rank; i++) fprintf(out, "%s%lld", i ? ", " : "", (long long)n->shape.dim[i]);
  fputc(']', out);
}

static void print_attributes(Printer *p, const Node *n) {
  FILE *out = p->out;
  if (p->args && n->op == OP_UNIFORM) {
    vec_push(p->arena, p->args->draws, n);
    return;
  }
  for (int i = 0; i < n->nattr; i++) fprintf(out, "%s%lld", i ? ", " : " {", (long long)n->attr[i]);
  if (n->nattr) fputc('}', out);
  if (n->op != OP_CONST) return;
  if (n->ndata <= 8) {
    for (int64_t i = 0; i < n->ndata; i++) fprintf(out, " %.17g", n->data[i]);
    return;
  }
  uint64_t h = 14695981039346656037ull;
  for (int64_t i = 0; i < n->ndata; i++) {
    uint64_t bits;
    memcpy(&bits, &n->data[i], sizeof bits);
    h = (h ^ bits) * 1099511628211ull;
    h ^= h >> 29;
  }
  fprintf(out, " (%lld values, hash %016llx)", (long long)n->ndata, (unsigned long long)h);
}

// Definitions of everything that `n` needs and that is not in memory, operands first. `root` is defined even
// if it is.
static void print_definition(Printer *p, const Node *n, bool root) {
  if (p->seen[n->id] == p->nest) return;
  p->seen[n->id] = p->nest;
  const Buffer *b = p->f->of[n->id];
  if (b && !root) {
    p->number[n->id] = p->nodes++;
    fprintf(p->out, "      %%%d = ", name_of(p, n));
    print_buffer(p, b);
    print_type(p->out, n);
    fputc('\n', p->out);
    return;
  }
  for (int i = 0; i < n->nin; i++) print_definition(p, n->in[i], false);
  p->number[n->id] = p->nodes++;
  fprintf(p->out, "      %%%d = %s(", name_of(p, n), op_info[n->op].text);
  for (int i = 0; i < n->nin; i++) fprintf(p->out, "%s%%%d", i ? ", " : "", name_of(p, n->in[i]));
  fputc(')', p->out);
  print_attributes(p, n);
  print_type(p->out, n);
  fputc('\n', p->out);
}

static void print_nest(Printer *p, const Nest *n) {
  p->nest++;
  p->nodes = 0;
  fprintf(p->out, "    for [");
  for (int i = 0; i < n->space.rank; i++)
    fprintf(p->out, "%s%lld%s", i ? ", " : "", (long long)n->space.dim[i],
            n->reduced >> i & 1 ? " reduced" : "");
  fprintf(p->out, "]\n");
  for (int i = 0; i < n->nouts; i++) print_definition(p, n->outs[i].node, true);
  for (int i = 0; i < n->nouts; i++) {
    const NestOut *o = &n->outs[i];
    fprintf(p->out, "      %s %%%d to ", o->kind == OUT_STORE ? "store" : "reduce", name_of(p, o->node));
    print_buffer(p, o->buffer);
    if (o->partial) {
      fprintf(p->out, " in pieces at ");
      print_buffer(p, o->partial);
    }
    fputc('\n', p->out);
  }
}

static void print_fn(FILE *out, const LoopFn *f, bool named);

static void print_step(Printer *p, const LoopStep *s) {
  static const char *const kinds[] = {"kernel", "gemm", "call", "copy", "loop", "if"};
  fprintf(p->out, "  %s", kinds[s->kind]);
  if (!p->args) fprintf(p->out, " %s", s->name);
  if (s->kind == STEP_KERNEL) {
    fputc('\n', p->out);
    print_nest(p, s->nest);
    return;
  }
  if (s->node) {
    if (!p->args) fprintf(p->out, " %%%d =", s->node->id);
    fprintf(p->out, " %s", op_info[s->node->op].text);
    print_attributes(p, s->node);
    print_type(p->out, s->node);
    if (s->node->name) fprintf(p->out, " at %s", s->node->name);
  }
  for (int i = 0; i < s->nin; i++) {
    fprintf(p->out, "%s", i ? ", " : " of ");
    print_buffer(p, s->in[i]);
    if (s->node) print_type(p->out, s->node->in[i]);
    if ((i == 0 && s->ta) || (i == 1 && s->tb)) fprintf(p->out, " transposed");
  }
  fprintf(p->out, " to ");
  if (s->out) print_buffer(p, s->out);
  for (int i = 0; s->parts && i < s->node->nout; i++) {
    if (i) fputs(", ", p->out);
    print_buffer(p, s->parts[i]);
    if (s->clears && s->clears[i]) fputs(" cleared", p->out);
  }
  if (s->work) {
    fputs(" with ", p->out);
    print_buffer(p, s->work);
  }
  fputc('\n', p->out);
  if (s->body) print_fn(p->out, s->body, p->named);
  if (s->other) print_fn(p->out, s->other, p->named);
}

static Printer printer_new(Arena *a, const LoopFn *f) {
  return (Printer){.arena = a,
                   .f = f,
                   .seen = ARENA_ARRAY(a, int, f->graph->nodes.len + 1),
                   .number = ARENA_ARRAY(a, int, f->graph->nodes.len + 1),
                   .buffer_seen = ARENA_ARRAY(a, int, f->nbuffers + 1),
                   .buffer_number = ARENA_ARRAY(a, int, f->nbuffers + 1)};
}

// Without names, functions that do the same have one text.
static void print_fn(FILE *out, const LoopFn *f, bool named) {
  fprintf(out, "function %s: %d kernels, %d gemms, %d calls, %lld bytes of scratch\n", named ? f->name : "",
          f->kernels, f->gemms, f->calls, (long long)f->scratch_bytes);
  for (int i = 1; i < f->nslots; i++) {
    const Slot *s = &f->slots[i];
    fprintf(out, "  slot %d%s%s %s", i, s->is_input ? " in" : "", s->is_output ? " out" : "",
            named ? s->name : "");
    fprintf(out, " %s[", dtype_text(s->dtype));
    for (int k = 0; k < s->shape.rank; k++) fprintf(out, "%s%lld", k ? ", " : "", (long long)s->shape.dim[k]);
    fprintf(out, "]\n");
  }
  Arena *scratch = arena_new();
  Printer p = printer_new(scratch, f);
  p.out = out;
  p.named = named;
  for (int i = 0; i < f->nsteps; i++) print_step(&p, &f->steps[i]);
  arena_free(scratch);
}

void loops_print(FILE *out, const LoopFn *f) { print_fn(out, f, true); }

struct StepTexts {
  Printer printer;
};

StepTexts *step_texts(Arena *a, const LoopFn *f) {
  StepTexts *t = ARENA_NEW(a, StepTexts);
  t->printer = printer_new(a, f);
  return t;
}

const char *step_text(StepTexts *t, const LoopStep *s, KernelArgs *args) {
  Printer *p = &t->printer;
  char *text = NULL;
  size_t size = 0;
  p->out = open_memstream(&text, &size);
  if (!p->out) ice("loops", "no memory for the text of %s", s->name);
  *args = (KernelArgs){0};
  p->args = args;
  p->nest++; // buffers are numbered anew
  print_step(p, s);
  fclose(p->out);
  const char *copy = arena_strndup(p->arena, text, size);
  free(text);
  return copy;
}
