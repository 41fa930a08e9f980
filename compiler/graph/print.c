// In: a graph. Out: its text, which graph_parse reads back as the same graph, bit for bit: one line a node in
// order of id, then the outputs.
//
//   graph "step"
//   %0 = input f32[3] "param:w"
//   %1 = const f32[3] {0.5}
//   %2 = mul(%0, %1)
//   output "param:w" %2 alias=0
#include "ops.h"
#include <math.h>

static void print_string(FILE *out, const char *s) {
  putc('"', out);
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      fprintf(out, "\\%c", c);
    else if (c < 32 || c == 127)
      fprintf(out, "\\x%02x", c);
    else
      putc(c, out);
  }
  putc('"', out);
}

static void print_type(FILE *out, const Node *n) {
  fprintf(out, " %s[", dtype_text(n->dtype));
  for (int i = 0; i < n->shape.rank; i++) fprintf(out, i ? ",%lld" : "%lld", (long long)n->shape.dim[i]);
  putc(']', out);
}

static void print_attrs(FILE *out, const Node *n) {
  AttrKeys keys = op_attr_keys(n->op);
  for (int k = 0; k < keys.n; k++) {
    fprintf(out, " %s=", keys.key[k]);
    if (!keys.list) {
      fprintf(out, "%lld", (long long)n->attr[k]);
      continue;
    }
    const int len = n->nattr / keys.n;
    putc('[', out);
    for (int i = 0; i < len; i++) fprintf(out, i ? ",%lld" : "%lld", (long long)n->attr[k * len + i]);
    putc(']', out);
  }
}

static void print_values(FILE *out, const Node *n) {
  fputs(" {", out);
  for (int64_t i = 0; i < n->ndata; i++) {
    if (i) fputs(", ", out);
    if (isnan(n->data[i]))
      fputs(signbit(n->data[i]) ? "-nan" : "nan", out);
    else
      fprintf(out, "%.17g", n->data[i]);
  }
  putc('}', out);
}

static void print_port(FILE *out, Port p) {
  if (p.kind) fprintf(out, " port=%d:%d", p.kind, p.index);
}

static void print_node(FILE *out, const Node *n) {
  fprintf(out, "%%%d = %s", n->id, op_info[n->op].text);
  if (op_info[n->op].class != CLASS_LEAF) {
    putc('(', out);
    for (int i = 0; i < n->nin; i++) fprintf(out, i ? ", %%%d" : "%%%d", n->in[i]->id);
    putc(')', out);
  }
  if (op_has_type(n->op)) print_type(out, n);
  if (n->name) {
    putc(' ', out);
    print_string(out, n->name);
  }
  print_port(out, n->port);
  if (n->op == OP_CONST) print_values(out, n);
  const Graph *const bodies[] = {n->body, n->other};
  for (int i = 0; i < 2 && bodies[i]; i++) {
    fputs(" {\n", out);
    graph_print(out, bodies[i]);
    putc('}', out);
  }
  print_attrs(out, n);
  putc('\n', out);
}

void graph_print(FILE *out, const Graph *g) {
  fputs("graph ", out);
  print_string(out, g->name);
  putc('\n', out);
  for (int i = 0; i < g->nodes.len; i++) print_node(out, g->nodes.data[i]);
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    fputs("output ", out);
    print_string(out, o->name);
    print_port(out, o->port);
    fprintf(out, " %%%d", o->node->id);
    if (o->alias >= 0) fprintf(out, " alias=%d", o->alias);
    putc('\n', out);
  }
}
