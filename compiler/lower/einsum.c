// Contraction over named axes. In: "bij,bjk->bik" and a tensor for each part of it. Out: the sum over what
// the result does not name of the products of the tensors. Holds: two at a time, from the left; what only one
// of them has and nobody needs later is summed first, and the rest is one product of matrices: axes that both
// have and keep, those of the left, those of the right, those that are summed.
#include "builtins.h"
#include <string.h>

typedef struct Term {
  Node *x;
  char axis[MAX_RANK + 1]; // a letter for each
} Term;

typedef const Dim *Letters[128]; // what each letter is

static bool has(const char *letters, char c) { return strchr(letters, c) != NULL; }

static Node *permuted(Cx *cx, const Term *t, const char *order) {
  int perm[MAX_RANK];
  for (int k = 0; order[k]; k++) perm[k] = (int)(strchr(t->axis, order[k]) - t->axis);
  return graph_transpose(cx->g, t->x, perm);
}

// The diagonal of axes with one letter.
static Term without_doubles(Cx *cx, Term t) {
  for (int i = 0; t.axis[i]; i++) {
    const char *again = strchr(t.axis + i + 1, t.axis[i]);
    if (!again) continue;
    const int k = (int)(again - t.axis);
    t.x = axis_diagonal(cx, t.x, i, k);
    memmove(t.axis + k, t.axis + k + 1, strlen(t.axis + k));
    i--;
  }
  return t;
}

// Sums over the axes that neither `a` nor `b` name.
static Term summed(Cx *cx, Term t, const char *a, const char *b) {
  int axes[MAX_RANK], n = 0, kept = 0;
  for (int k = 0; t.axis[k]; k++) {
    if (has(a, t.axis[k]) || has(b, t.axis[k]))
      t.axis[kept++] = t.axis[k];
    else
      axes[n++] = k;
  }
  t.axis[kept] = 0;
  t.x = graph_reduce(cx->g, OP_SUM, t.x, axes, n);
  return t;
}

static void add_letter(char *letters, char c) {
  const size_t n = strlen(letters);
  letters[n] = c, letters[n + 1] = 0;
}

static int64_t size_of(const Term *t, const char *letters) {
  int64_t size = 1;
  for (; *letters; letters++) size *= t->x->shape.dim[strchr(t->axis, *letters) - t->axis];
  return size;
}

static bool contract(Cx *cx, Term x, Term y, const char *later, Span at, Term *out) {
  char both[MAX_RANK + 1] = "", left[MAX_RANK + 1] = "", right[MAX_RANK + 1] = "", inner[MAX_RANK + 1] = "";
  x = summed(cx, x, y.axis, later), y = summed(cx, y, x.axis, later);
  for (const char *c = x.axis; *c; c++)
    add_letter(!has(y.axis, *c) ? left : has(later, *c) ? both : inner, *c);
  for (const char *c = y.axis; *c; c++)
    if (!has(x.axis, *c)) add_letter(right, *c);
  const int rank = (int)(strlen(both) + strlen(left) + strlen(right));
  if (!rank_fits(cx, rank, at)) return false;
  char order[3 * MAX_RANK + 1];
  const int64_t b = size_of(&x, both), m = size_of(&x, left), k = size_of(&x, inner), n = size_of(&y, right);
  if (!shape_fits(cx, shape_of(3, b, m, n), at)) return false;
  snprintf(order, sizeof order, "%s%s%s", both, left, inner);
  Node *l = graph_reshape(cx->g, permuted(cx, &x, order), shape_of(3, b, m, k));
  snprintf(order, sizeof order, "%s%s%s", both, inner, right);
  Node *r = graph_reshape(cx->g, permuted(cx, &y, order), shape_of(3, b, k, n));
  *out = (Term){0};
  Shape s = {0};
  const char *parts[] = {both, left, right};
  for (int p = 0; p < 3; p++)
    for (const char *c = parts[p]; *c; c++) {
      const Term *from = p == 2 ? &y : &x;
      add_letter(out->axis, *c);
      s.dim[s.rank++] = from->x->shape.dim[strchr(from->axis, *c) - from->axis];
    }
  out->x = graph_reshape(cx->g, graph_matmul(cx->g, l, r), s);
  return true;
}

static Value malformed(Cx *cx, const Value *text, const char *found) {
  diag_emit(&cx->s->diags, DIAG_wrong_kind, text->span,
            "names of axes such as \"ij,jk->ik\", a letter for each axis of each tensor", found);
  return v_fail();
}

// One size for each letter, and one dimension.
static bool sizes_agree(Cx *cx, const Term *t, const Args *a, Letters dims) {
  int64_t size[128] = {0};
  const Span at = a->v[0]->span;
  const int n = a->nmany;
  for (int i = 0; i < n; i++)
    for (int k = 0; t[i].axis[k]; k++) {
      int64_t *s = &size[(int)t[i].axis[k]];
      if (*s && *s != t[i].x->shape.dim[k]) {
        diag_emit(&cx->s->diags, DIAG_shape_mismatch, at,
                  arena_printf(cx->a, "axis %c of `einsum`", t[i].axis[k]),
                  arena_printf(cx->a, "size %lld", (long long)*s), shape_text(cx->a, t[i].x->shape));
        return false;
      }
      const int letter = (int)t[i].axis[k];
      const Dim *d = dim_of(value_dims(cx, a->many[i]), k);
      if (*s && !dims_agree(d, dims[letter])) {
        report_dims(cx, arena_printf(cx->a, "axis %c of `einsum`", letter), dims[letter], d, at);
        return false;
      }
      if (d) dims[letter] = d;
      *s = t[i].x->shape.dim[k];
    }
  return true;
}

Value call_einsum(Cx *cx, const Args *a) {
  const Value *text = a->v[0];
  const char *arrow = strstr(text->text, "->"), *at = text->text;
  Term *t = ARENA_ARRAY(cx->a, Term, a->nmany + 1);
  if (!arrow) return malformed(cx, text, "none behind an arrow");
  char later[128] = "", *result = arena_strdup(cx->a, arrow + 2);
  for (int i = 0; i < a->nmany; i++) {
    t[i].x = counted_floats(cx, a->many[i]);
    if (!t[i].x) return v_fail();
    t[i].x = count_filled(cx, t[i].x, value_dims(cx, a->many[i]), NULL, count_identity(a->b));
    int rank = 0;
    for (; at < arrow && *at != ','; at++) {
      if (*at == ' ') continue;
      if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z')) || rank == MAX_RANK)
        return malformed(cx, text, arena_printf(cx->a, "`%.1s`", at));
      t[i].axis[rank++] = *at;
    }
    if (rank != t[i].x->shape.rank)
      return malformed(
          cx, text, arena_printf(cx->a, "%d letters for shape %s", rank, shape_text(cx->a, t[i].x->shape)));
    const bool more = at < arrow;
    if (more != (i + 1 < a->nmany)) return malformed(cx, text, "another number of tensors");
    at += more;
  }
  int n = 0;
  for (const char *c = result; *c; c++) {
    bool known = false;
    for (int i = 0; i < a->nmany; i++) known = known || has(t[i].axis, *c);
    if (*c == ' ') continue;
    if (!known || memchr(result, *c, (size_t)n))
      return malformed(cx, text, arena_printf(cx->a, "`%.1s` behind the arrow", c));
    result[n++] = *c;
  }
  result[n] = 0;
  if (n > MAX_RANK && !rank_fits(cx, n, a->at)) return v_fail();
  Letters dims = {0};
  if (!sizes_agree(cx, t, a, dims)) return v_fail();
  for (int i = 0; i < a->nmany; i++) t[i] = without_doubles(cx, t[i]);
  for (int i = 1; i < a->nmany; i++) {
    strcpy(later, result);
    for (int k = i + 1; k < a->nmany; k++)
      for (const char *c = t[k].axis; *c; c++)
        if (!has(later, *c)) add_letter(later, *c);
    if (!contract(cx, t[0], t[i], later, a->at, &t[0])) return v_fail();
  }
  t[0] = summed(cx, t[0], result, "");
  Value v = v_tensor(permuted(cx, &t[0], result), a->at);
  const Dim **kept = ARENA_ARRAY(cx->a, const Dim *, n + 1);
  for (int i = 0; i < n; i++) kept[i] = dims[(int)result[i]];
  v.dims = kept;
  return v;
}
