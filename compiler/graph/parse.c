// In: graph text (print.c), where a node may also have a name instead of a number, operands may be nested
// calls, and `#` starts a comment. Out: the graph, node for node as written (nothing is simplified), or NULL
// and a message with the line.
//
//   graph     = "graph" string { name "=" node | "output" string node [ "alias" "=" integer ] }
//   node      = name | operation [ "(" node { "," node } ")" ] [ type ] [ string ]
//               [ "{" numbers "}" | "{" graph "}" ] { key "=" attribute }
//   type      = element "[" [ integer { "," integer } ] "]"
#include "ops.h"
#include <ctype.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 100, MAX_OPERANDS = 4096 };

typedef struct Reader {
  Arena *arena;
  Graph *graph;
  Map nodes; // by name
  const char *text, *at;
  int depth;
  const char *error;
  jmp_buf fail;
} Reader;

_Noreturn static void fail(Reader *r, const char *what) {
  int line = 1;
  for (const char *p = r->text; p < r->at; p++) line += *p == '\n';
  r->error = arena_printf(r->arena, "line %d: %s", line, what);
  longjmp(r->fail, 1);
}

static char peek(Reader *r) {
  for (;;) {
    r->at += strspn(r->at, " \t\r\n");
    if (*r->at != '#') return *r->at;
    r->at += strcspn(r->at, "\n");
  }
}

static bool accept(Reader *r, char c) {
  if (peek(r) != c) return false;
  r->at++;
  return true;
}

static void expect(Reader *r, char c) {
  if (!accept(r, c)) fail(r, arena_printf(r->arena, "`%c` expected", c));
}

static bool name_char(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.'; }

// A name, or % and a number. Empty: fails.
static const char *read_name(Reader *r) {
  peek(r);
  const char *start = r->at;
  if (*r->at == '%') r->at++;
  while (name_char(*r->at)) r->at++;
  if (r->at == start) fail(r, "a name expected");
  return arena_strndup(r->arena, start, (size_t)(r->at - start));
}

static bool accept_word(Reader *r, const char *word) {
  peek(r);
  size_t n = strlen(word);
  if (strncmp(r->at, word, n) != 0 || name_char(r->at[n])) return false;
  r->at += n;
  return true;
}

static int64_t read_integer(Reader *r) {
  char c = peek(r), *end;
  if (!isdigit((unsigned char)c) && c != '-') fail(r, "an integer expected");
  long long v = strtoll(r->at, &end, 10);
  if (end == r->at || v > (1LL << 40) || v < -(1LL << 40)) fail(r, "an integer expected");
  r->at = end;
  return v;
}

static int hex_digit(char c) {
  return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *read_string(Reader *r) {
  StrBuf b = {.arena = r->arena};
  strbuf_add(&b, "");
  expect(r, '"');
  for (; *r->at != '"'; r->at++) {
    char c = *r->at;
    if (!c || c == '\n') fail(r, "the string does not end");
    if (c == '\\') {
      c = *++r->at;
      if (c == 'x') {
        int high = hex_digit(r->at[1]), low = high < 0 ? -1 : hex_digit(r->at[2]);
        if (low < 0 || high + low == 0) fail(r, "two hexadecimal digits expected");
        c = (char)(high * 16 + low);
        r->at += 2;
      } else if (c != '"' && c != '\\')
        fail(r, "unknown escape");
    }
    strbuf_addn(&b, &c, 1);
  }
  r->at++;
  return b.data;
}

static void read_type(Reader *r, Node *n) {
  const char *name = read_name(r);
  int t = dtype_find(name, strlen(name));
  if (t < 0) fail(r, "an element type expected");
  n->dtype = (DType)t;
  n->shape = (Shape){0};
  expect(r, '[');
  if (accept(r, ']')) return;
  do {
    if (n->shape.rank == MAX_RANK) fail(r, "rank too high");
    n->shape.dim[n->shape.rank++] = read_integer(r);
  } while (accept(r, ','));
  expect(r, ']');
}

static void read_values(Reader *r, Node *n) {
  VEC(double) values = {0};
  expect(r, '{');
  do {
    char *end;
    peek(r);
    double v = strtod(r->at, &end);
    if (end == r->at) fail(r, "a number expected");
    r->at = end;
    vec_push(r->arena, values, v);
  } while (accept(r, ','));
  expect(r, '}');
  n->data = values.data;
  n->ndata = values.len;
}

static void read_attrs(Reader *r, Node *n) {
  AttrKeys keys = op_attr_keys(n->op);
  VEC(int64_t) attr = {0};
  int first = 0;
  for (int k = 0; k < keys.n; k++) {
    if (!accept_word(r, keys.key[k])) fail(r, arena_printf(r->arena, "`%s=` expected", keys.key[k]));
    expect(r, '=');
    if (!keys.list) {
      vec_push(r->arena, attr, read_integer(r));
      continue;
    }
    const int before = attr.len;
    expect(r, '[');
    if (!accept(r, ']')) {
      do vec_push(r->arena, attr, read_integer(r));
      while (accept(r, ','));
      expect(r, ']');
    }
    if (k == 0)
      first = attr.len;
    else if (attr.len - before != first)
      fail(r, "lists of different lengths");
  }
  n->attr = attr.data;
  n->nattr = attr.len;
}

static Node *read_node(Reader *r);

static void read_operands(Reader *r, Node *n) {
  VEC(Node *) in = {0};
  expect(r, '(');
  do {
    if (in.len == MAX_OPERANDS) fail(r, "too many operands");
    vec_push(r->arena, in, read_node(r));
  } while (accept(r, ','));
  expect(r, ')');
  n->in = in.data;
  n->nin = in.len;
}

static Node *finish(Reader *r, Node *n) {
  Graph *g = r->graph;
  int64_t position = g->inputs.len;
  if (n->op == OP_INPUT) {
    if (graph_find_input(g, n->name)) fail(r, "an input of that name exists");
    n->attr = &position;
    n->nattr = 1;
  }
  const char *fault = node_infer(r->arena, n);
  if (fault) fail(r, arena_printf(r->arena, "%s: %s", op_info[n->op].text, fault));
  Node *made = node_intern(g, n);
  n->attr = NULL;
  return made;
}

static void read_graph(Reader *r, char end);

static const Graph *read_body(Reader *r) {
  Graph *outer = r->graph;
  const Map names = r->nodes;
  map_init(&r->nodes, r->arena);
  expect(r, '{');
  read_graph(r, '}');
  expect(r, '}');
  const Graph *body = r->graph;
  r->graph = outer;
  r->nodes = names;
  return body;
}

static Port read_port(Reader *r) {
  Port p = {0};
  if (!accept_word(r, "port")) return p;
  expect(r, '=');
  p.kind = (int)read_integer(r);
  expect(r, ':');
  p.index = (int)read_integer(r);
  return p;
}

static Node *read_node(Reader *r) {
  if (++r->depth > MAX_DEPTH) fail(r, "nested too deeply");
  const char *name = read_name(r);
  Node *known = map_get(&r->nodes, name);
  int op = known ? -1 : op_find(name, strlen(name));
  if (!known && op < 0) fail(r, arena_printf(r->arena, "unknown `%s`", name));
  if (!known) {
    Node n = {.op = (Op)op};
    if (op_info[op].class != CLASS_LEAF) read_operands(r, &n);
    if (op_has_type(n.op)) read_type(r, &n);
    if (op_has_name(n.op) || (n.op == OP_LOOP && peek(r) == '"')) n.name = read_string(r);
    if (n.op == OP_INPUT) n.port = read_port(r);
    if (n.op == OP_CONST) read_values(r, &n);
    if (n.op == OP_LOOP || n.op == OP_IF) n.body = read_body(r);
    if (n.op == OP_IF) n.other = read_body(r);
    read_attrs(r, &n);
    known = finish(r, &n);
  }
  r->depth--;
  return known;
}

static void read_output(Reader *r) {
  const char *name = read_string(r);
  const Port port = read_port(r);
  Node *n = read_node(r);
  int alias = -1;
  if (accept_word(r, "alias")) {
    expect(r, '=');
    int64_t v = read_integer(r);
    if (v < 0 || v >= r->graph->inputs.len) fail(r, "the alias is no input");
    alias = (int)v;
  }
  graph_output_port(r->graph, port, name, n, alias);
}

static void read_graph(Reader *r, char end) {
  if (!accept_word(r, "graph")) fail(r, "`graph` expected");
  r->graph = graph_new(r->arena, read_string(r));
  while (peek(r) && *r->at != end) {
    if (accept_word(r, "output")) {
      read_output(r);
      continue;
    }
    const char *name = read_name(r);
    if (map_get(&r->nodes, name)) fail(r, "a second node of that name");
    if (*name != '%' && op_find(name, strlen(name)) >= 0) fail(r, "an operation's name");
    expect(r, '=');
    map_put(&r->nodes, name, read_node(r));
  }
  const char *fault = graph_verify(r->graph);
  if (fault) fail(r, fault);
}

Graph *graph_parse(Arena *a, const char *text, const char **error) {
  Reader r = {.arena = a, .text = text, .at = text};
  Reader *volatile reader = &r;
  map_init(&r.nodes, a);
  if (setjmp(r.fail)) {
    if (error) *error = reader->error;
    return NULL;
  }
  read_graph(reader, 0);
  if (peek(reader)) fail(reader, "the end of the graph expected");
  return reader->graph;
}
