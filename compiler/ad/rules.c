// In: a node, the position of an operand, the node's adjoint. Out: the operand's share, built while its rule
// is read: rules are a few words long, so reading is no dearer than walking a tree of them. Holds: a rule
// that cannot be read is an internal error.
#include "rules.h"
#include "../graph/ops.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

Node rule_absent;

// The rule of operand k: the k-th between semicolons; the last one serves all further operands.
static const char *rule_text(const Node *n, int k) {
  const char *text = op_info[n->op].derivative;
  for (const char *next; k > 0 && (next = strchr(text, ';')); k--) text = next + 1;
  return text + strspn(text, " ");
}

static bool rule_is(const char *text, const char *word) {
  size_t len = strlen(word);
  return strncmp(text, word, len) == 0 && (text[len] == 0 || text[len] == ';');
}

bool rule_exists(const Node *n, int k) {
  const char *text = rule_text(n, k);
  return dtype_is_float(n->in[k]->dtype) && (dtype_is_float(n->dtype) || n->nout > 0) &&
         !rule_is(text, "nondiff") && !rule_is(text, "0");
}

bool rule_masks(const Node *n, int k) {
  switch (n->op) {
  case OP_SELECT:
  case OP_MIN:
  case OP_MAX:
  case OP_RMAX:
  case OP_SLICE:
  case OP_SLIDE:
  case OP_GATHER:
  case OP_TAKE_ALONG: // what is left out
  case OP_EXP:
  case OP_EXPM1:
  case OP_LOG:
  case OP_LOG1P:
  case OP_SQRT:
  case OP_TANH:
  case OP_SIGMOID:
  case OP_SOFTPLUS:
  case OP_ERF:
  case OP_DIV:
  case OP_POW: return true; // where the function levels off
  case OP_XMUL: return k == 1;
  case OP_ZMUL: return true;
  default: return false;
  }
}

// -- helpers: what a rule says with the attributes of the node

static void axes_of(const Node *n, int *axes) {
  for (int i = 0; i < n->nattr; i++) axes[i] = (int)n->attr[i];
}

// Undoes a reduction by repeating along the axes that went.
static Node *expand(const Rule *r, Node *v) {
  const Shape s = r->n->in[0]->shape;
  int kept[MAX_RANK], nkept = 0;
  for (int i = 0, k = 0; i < s.rank; i++) {
    if (k < r->n->nattr && r->n->attr[k] == i)
      k++;
    else
      kept[nkept++] = i;
  }
  return graph_broadcast(r->g, v, s, kept);
}

static Node *sum_like(const Rule *r, Node *v) {
  int axes[MAX_RANK];
  axes_of(r->n, axes);
  return graph_reduce(r->g, OP_SUM, v, axes, r->n->nattr);
}

// Undoes a broadcast by summing over the axes that it made.
static Node *collapse(const Rule *r, Node *v) {
  int axes[MAX_RANK], naxes = 0;
  for (int i = 0, k = 0; i < r->n->shape.rank; i++) {
    if (k < r->n->nattr && r->n->attr[k] == i)
      k++;
    else
      axes[naxes++] = i;
  }
  return graph_reduce(r->g, OP_SUM, v, axes, naxes);
}

// The operation itself, from the other end of its axis.
static Node *other_way(const Rule *r, Node *v) {
  return graph_running(r->g, r->n->op, v, (int)r->n->attr[0], !r->n->attr[1]);
}

static Node *unreshape(const Rule *r, Node *v) { return graph_reshape(r->g, v, r->n->in[0]->shape); }

static Node *untranspose(const Rule *r, Node *v) {
  int inverse[MAX_RANK];
  for (int i = 0; i < r->n->nattr; i++) inverse[r->n->attr[i]] = i;
  return graph_transpose(r->g, v, inverse);
}

static Node *unslice(const Rule *r, Node *v) {
  const Node *n = r->n;
  const int rank = n->shape.rank;
  int64_t hi[MAX_RANK], inner[MAX_RANK];
  for (int i = 0; i < rank; i++) {
    int64_t start = n->attr[i], step = n->attr[2 * rank + i];
    hi[i] = n->in[0]->shape.dim[i] - (start + (n->shape.dim[i] - 1) * step + 1);
    inner[i] = step - 1;
  }
  return graph_pad(r->g, v, n->attr, hi, inner);
}

static Node *unpad(const Rule *r, Node *v) {
  const Node *n = r->n;
  const int rank = n->shape.rank;
  int64_t stop[MAX_RANK], step[MAX_RANK];
  for (int i = 0; i < rank; i++) {
    stop[i] = n->shape.dim[i] - n->attr[rank + i];
    step[i] = n->attr[2 * rank + i] + 1;
  }
  return graph_slice(r->g, v, n->attr, stop, step);
}

static Node *slide(const Rule *r, Node *v) {
  return graph_slide(r->g, v, (int)r->n->attr[0], r->n->attr[1], r->n->attr[2]);
}

static Node *unslide(const Rule *r, Node *v) {
  const int axis = (int)r->n->attr[0];
  return graph_unslide(r->g, v, axis, r->n->attr[1], r->n->attr[2], r->n->in[0]->shape.dim[axis]);
}

static Node *unconcat(const Rule *r, Node *v) {
  const Node *n = r->n;
  const int axis = (int)n->attr[0];
  int64_t start[MAX_RANK] = {0}, step[MAX_RANK];
  for (int i = 0; i < n->shape.rank; i++) step[i] = 1;
  for (int i = 0; i < r->k; i++) start[axis] += n->in[i]->shape.dim[axis];
  Shape stop = n->shape;
  stop.dim[axis] = start[axis] + n->in[r->k]->shape.dim[axis];
  return graph_slice(r->g, v, start, stop.dim, step);
}

// g, the adjoint of an image that n makes, with the frame that the pixels of n's operand reach around it:
// where a step of windows goes beyond them, less than it.
static Node *conv_framed(const Rule *r, Node *g) {
  const Node *n = r->n;
  const int64_t none[4] = {0}, once[4] = {1, 1, 1, 1};
  int64_t lo[4] = {0}, hi[4] = {0}, start[4] = {0};
  Shape stop = g->shape;
  for (int i = 0; i < 2; i++) {
    const int64_t step = n->attr[i], reach = (n->in[1]->shape.dim[i] - 1) * n->attr[2 + i];
    lo[1 + i] = n->attr[4 + i] + reach / step * step;
    hi[1 + i] = (n->in[0]->shape.dim[1 + i] - 1) * step + reach + 1 - lo[1 + i] - g->shape.dim[1 + i];
    if (hi[1 + i] < 0) stop.dim[1 + i] += hi[1 + i], hi[1 + i] = 0;
    if (stop.dim[1 + i] < 0) lo[1 + i] += stop.dim[1 + i], stop.dim[1 + i] = 0;
  }
  return graph_pad(r->g, graph_slice(r->g, g, start, stop.dim, once), lo, hi, none);
}

// The adjoint of x where windows of x are multiplied with `filter`, and v is what belongs to the windows; or
// where x is what belongs to them.
static Node *conv_reverse(const Rule *r, Node *v, Node *filter) {
  const Node *n = r->n;
  if (n->op == OP_CONV_IMAGE) return graph_conv(r->g, conv_framed(r, v), filter, n->attr);
  return graph_conv_reverse(r->g, v, filter, n->attr, n->in[0]->shape.dim + 1);
}

// The adjoint of a filter from x and g; that of conv_weights by its second operand is a product with g.
static Node *conv_filter(const Rule *r, Node *x, Node *g) {
  const Node *n = r->n;
  if (n->op == OP_CONV_WEIGHTS) return graph_conv(r->g, x, g, n->attr);
  const int64_t *size = n->in[1]->shape.dim;
  if (n->op == OP_CONV) return graph_conv_weights(r->g, x, g, n->attr, size[0], size[1]);
  return graph_conv_weights(r->g, conv_framed(r, g), x, n->attr, size[0], size[1]);
}

// The matrix whose panels v are.
static Node *unpanels(const Rule *r, Node *v) {
  const Node *n = r->n;
  const bool turned = n->op == OP_PANELS && n->attr[0];
  const int64_t rows = v->shape.dim[1],
                columns = n->op == OP_PANELS ? n->in[0]->shape.dim[!turned] : n->attr[0];
  const int64_t start[] = {0, 0}, stop[] = {rows, columns}, step[] = {1, 1};
  Node *lines = graph_transpose(r->g, v, (int[]){1, 0, 2});
  Node *wide = graph_reshape(r->g, lines, shape_of(2, rows, v->shape.dim[0] * v->shape.dim[2]));
  Node *w = graph_slice(r->g, wide, start, stop, step);
  return turned ? graph_swap(r->g, w) : w;
}

static Node *panels(const Rule *r, Node *v) { return graph_panels(r->g, v, false); }

static Node *swap(const Rule *r, Node *v) { return graph_swap(r->g, v); }
static Node *to_operand(const Rule *r, Node *v) { return graph_cast(r->g, v, r->n->in[r->k]->dtype); }

static Node *scatter_add_like(const Rule *r, Node *index, Node *v) {
  return graph_scatter_add(r->g, index, v, r->n->in[0]->shape.dim[0]);
}

static Node *put_along_like(const Rule *r, Node *index, Node *v) {
  const Shape s = r->n->in[0]->shape;
  return graph_put_along(r->g, index, v, s.dim[s.rank - 1]);
}

// A derivative that is known to be 0 is 0, whatever it is multiplied with.
static Node *times(const Rule *r, Node *v, Node *local) {
  if (node_is(v, 0) || node_is(local, 0)) return graph_const_typed(r->g, 0, v->dtype, v->shape);
  return graph_binary(r->g, r->masked ? OP_XMUL : OP_MUL, v, local);
}

typedef struct Helper {
  const char *text;
  Node *(*one)(const Rule *, Node *);
  Node *(*two)(const Rule *, Node *, Node *);
} Helper;

static const Helper helpers[] = {
    {"expand", expand, NULL},
    {"sum_like", sum_like, NULL},
    {"collapse", collapse, NULL},
    {"other_way", other_way, NULL},
    {"unreshape", unreshape, NULL},
    {"untranspose", untranspose, NULL},
    {"unslice", unslice, NULL},
    {"unpad", unpad, NULL},
    {"slide", slide, NULL},
    {"unslide", unslide, NULL},
    {"unconcat", unconcat, NULL},
    {"swap", swap, NULL},
    {"conv_reverse", NULL, conv_reverse},
    {"conv_filter", NULL, conv_filter},
    {"unpanels", unpanels, NULL},
    {"panels", panels, NULL},
    {"cast", to_operand, NULL},
    {"scatter_add_like", NULL, scatter_add_like},
    {"put_along_like", NULL, put_along_like},
    {"times", NULL, times},
    {"low", matrix_low, NULL},
    {"triangle", matrix_triangle, NULL},
    {"both", matrix_both, NULL},
    {"symmetric", matrix_symmetric, NULL},
    {"skew", matrix_skew, NULL},
    {"on_diagonal", matrix_on_diagonal, NULL},
    {"gaps", matrix_gaps, NULL},
    {"sums", matrix_sums, NULL},
    {"over", NULL, matrix_over},
    {"outside", NULL, matrix_outside},
    {"solve_upper", NULL, matrix_solve_upper},
    {"solve_back", matrix_solve_back, NULL},
    {"solve_across", matrix_solve_across, NULL},
};

static Node *call_helper(const Rule *r, const char *name, size_t len, Node **arg, int n) {
  for (size_t i = 0; i < sizeof helpers / sizeof *helpers; i++) {
    const Helper *h = &helpers[i];
    if (strncmp(h->text, name, len) != 0 || h->text[len]) continue;
    if (n == 1 && h->one) return h->one(r, arg[0]);
    if (n == 2 && h->two) return h->two(r, arg[0], arg[1]);
  }
  return NULL;
}

static Node *call_op(const Rule *r, Op op, Node **arg, int n) {
  OpClass class = op_info[op].class;
  if (n != op_info[op].arity) return NULL;
  if (op == OP_SELECT) return graph_select(r->g, arg[0], arg[1], arg[2]);
  if (op == OP_MATMUL) return graph_matmul(r->g, arg[0], arg[1]);
  if (op == OP_GATHER) return graph_gather(r->g, arg[0], arg[1]);
  if (op == OP_TAKE_ALONG) return graph_take_along(r->g, arg[0], arg[1]);
  if (class != CLASS_POINTWISE && class != CLASS_COMPARE) return NULL;
  return n == 1 ? graph_unary(r->g, op, arg[0]) : graph_binary(r->g, op, arg[0], arg[1]);
}

// -- reading

_Noreturn static void malformed(const Rule *r) {
  ice("ad", "derivative of %s: malformed at `%s`", op_info[r->n->op].text, r->at);
}

static void skip_spaces(Rule *r) { r->at += strspn(r->at, " "); }

Node *rule_result(const Rule *r, int k) {
  Node *n = r->g->nodes.data[r->n->id];
  return n->nout ? graph_part(r->g, n, k) : n;
}

// The digit behind a name; 0 where there is none, -1 where there is no such result.
static int result_number(const Rule *r, const char *digit, size_t len) {
  const int most = r->n->nout ? r->n->nout : 1;
  const int k = len == 0 ? 0 : len == 1 ? *digit - '0' : -1;
  return k >= 0 && k < most ? k : -1;
}

static Node *variable(const Rule *r, const char *name, size_t len) {
  if (len >= 3 && memcmp(name, "out", 3) == 0) {
    const int k = result_number(r, name + 3, len - 3);
    return k < 0 ? NULL : rule_result(r, k);
  }
  if (*name == 'g') {
    const int k = result_number(r, name + 1, len - 1);
    return k < 0 ? NULL : r->adj[k] ? r->adj[k] : &rule_absent;
  }
  if (len != 1) return NULL;
  int k = *name - 'x';
  return k >= 0 && k < r->n->nin ? r->n->in[k] : NULL;
}

static Node *expression(Rule *r);

// A call with an adjoint that is none: adjoints are terms of sums, or factors.
static Node *call_absent(const Rule *r, const char *name, size_t len, Node **arg, int n) {
  const bool add = len == 3 && memcmp(name, "add", 3) == 0, sub = len == 3 && memcmp(name, "sub", 3) == 0;
  if (n != 2 || !(add || sub) || (arg[0] == &rule_absent && arg[1] == &rule_absent)) return &rule_absent;
  if (arg[1] == &rule_absent) return arg[0];
  return add ? arg[1] : graph_unary(r->g, OP_NEG, arg[1]);
}

static Node *call(Rule *r, const char *name, size_t len) {
  Node *arg[3];
  int n = 0;
  bool missing = false;
  do {
    r->at++; // the parenthesis or comma
    if (n == 3) malformed(r);
    arg[n] = expression(r);
    missing = missing || arg[n] == &rule_absent;
    n++;
    skip_spaces(r);
  } while (*r->at == ',');
  if (*r->at != ')') malformed(r);
  r->at++;
  if (missing) return call_absent(r, name, len, arg, n);
  Node *result = call_helper(r, name, len, arg, n);
  int op = op_find(name, len);
  if (!result && op >= 0) result = call_op(r, (Op)op, arg, n);
  if (!result) malformed(r);
  return result;
}

// A number is a rank-0 constant, which the builders spread.
static Node *expression(Rule *r) {
  skip_spaces(r);
  if (isdigit((unsigned char)*r->at)) {
    char *end;
    double value = strtod(r->at, &end);
    r->at = end;
    return graph_const_typed(r->g, value, r->type, (Shape){0});
  }
  const char *name = r->at;
  while (isalnum((unsigned char)*r->at) || *r->at == '_') r->at++;
  size_t len = (size_t)(r->at - name);
  if (*r->at == '(') return call(r, name, len);
  Node *v = variable(r, name, len);
  if (!v) malformed(r);
  return v;
}

Node *rule_apply(Graph *g, const Node *n, int k, Node *const *adj, bool masked) {
  Rule r = {.g = g, .n = n, .k = k, .adj = adj, .masked = masked, .at = rule_text(n, k)};
  r.type = n->nout ? n->out[0].dtype : n->dtype;
  Node *share = expression(&r);
  skip_spaces(&r);
  if (*r.at && *r.at != ';') malformed(&r);
  return share == &rule_absent ? NULL : share;
}
