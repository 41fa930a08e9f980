// Affine expressions, their ranges, and the index maps of the shape operations. See affine.h.
#include "affine.h"
#include <string.h>

Affine affine_const(int64_t c) {
  Affine x = {.base = c};
  return x;
}

Affine affine_var(int v) {
  Affine x = {.base = 0};
  x.coef[v] = 1;
  return x;
}

void affine_add(Affine *x, const Affine *y, int64_t factor) {
  x->base += factor * y->base;
  for (int i = 0; i < MAX_VARS; i++) x->coef[i] += factor * y->coef[i];
}

bool affine_equal(const Affine *x, const Affine *y) { return memcmp(x, y, sizeof *x) == 0; }

bool affine_is_const(const Affine *x) {
  for (int i = 0; i < MAX_VARS; i++)
    if (x->coef[i]) return false;
  return true;
}

void affine_range(const Vars *v, const Affine *x, int64_t *lo, int64_t *hi) {
  *lo = *hi = x->base;
  for (int i = 0; i < v->n; i++) {
    int64_t most = x->coef[i] * (v->var[i].size - 1);
    *(most < 0 ? lo : hi) += most;
  }
}

// Terms that the divisor divides leave the division exactly when the others stay within 0 .. divisor - 1.
Affine affine_divide(Vars *v, const Affine *x, int64_t divisor) {
  if (divisor == 1) return *x;
  Affine whole = {.base = 0}, rest = {.base = x->base % divisor};
  if (rest.base < 0) rest.base += divisor;
  whole.base = (x->base - rest.base) / divisor;
  for (int i = 0; i < v->n; i++) {
    if (x->coef[i] % divisor == 0)
      whole.coef[i] = x->coef[i] / divisor;
    else
      rest.coef[i] = x->coef[i];
  }
  int64_t lo, hi;
  affine_range(v, &rest, &lo, &hi);
  if (lo >= 0 && hi < divisor) return whole;
  affine_range(v, x, &lo, &hi);
  for (int i = v->nloops; i < v->n; i++)
    if (v->var[i].divisor == divisor && affine_equal(&v->var[i].of, x)) return affine_var(i);
  if (v->n == MAX_VARS) ice("loops", "more than %d index variables in one nest", MAX_VARS);
  int64_t last = hi < 0 ? 0 : hi / divisor;
  v->var[v->n] = (Var){.size = last + 1, .divisor = divisor, .of = *x};
  return affine_var(v->n++);
}

bool index_equal(const Index *x, const Index *y) {
  if (x->rank != y->rank) return false;
  for (int i = 0; i < x->rank; i++)
    if (!affine_equal(&x->axis[i], &y->axis[i])) return false;
  return true;
}

Affine index_linear(Shape s, const Index *at) {
  Affine sum = {.base = 0};
  int64_t stride = 1;
  for (int i = s.rank - 1; i >= 0; i--) {
    affine_add(&sum, &at->axis[i], stride);
    stride *= s.dim[i];
  }
  return sum;
}

// Axes are taken in groups of equal extent; within a group the element number is what both sides share.
static void reshape_operand(Vars *v, Shape from, Shape to, const Index *at, Index *out) {
  int i = to.rank, k = from.rank;
  while (k > 0) {
    if (from.dim[k - 1] == 1) {
      out->axis[--k] = affine_const(0);
      continue;
    }
    Affine number = {.base = 0};
    int64_t extent = 1, wanted = from.dim[k - 1];
    int first = k - 1;
    while (true) {
      if (extent < wanted) {
        affine_add(&number, &at->axis[i - 1], extent);
        extent *= to.dim[--i];
      } else if (wanted < extent) {
        wanted *= from.dim[--first];
      } else {
        break;
      }
    }
    for (; k - 1 > first; k--) {
      Affine quotient = affine_divide(v, &number, from.dim[k - 1]);
      affine_add(&number, &quotient, -from.dim[k - 1]);
      out->axis[k - 1] = number;
      number = quotient;
    }
    out->axis[--k] = number;
  }
}

// Adds lo <= at < hi unless it always holds; false where it never does.
static bool add_guard(const Vars *v, Affine at, int64_t lo, int64_t hi, Guard *guards, int *n) {
  int64_t least, most;
  affine_range(v, &at, &least, &most);
  if (most < lo || least >= hi) return false;
  if (least < lo || most >= hi) guards[(*n)++] = (Guard){at, lo, hi};
  return true;
}

static int pad_operand(Vars *v, const Node *n, const Index *at, Index *out, Guard *guards) {
  int count = 0, rank = n->shape.rank;
  for (int i = 0; i < rank; i++) {
    int64_t lo = n->attr[i], gap = n->attr[2 * rank + i] + 1, size = n->in[0]->shape.dim[i];
    Affine x = at->axis[i];
    x.base -= lo;
    if (!add_guard(v, x, 0, (size - 1) * gap + 1, guards, &count)) return -1;
    out->axis[i] = x;
    if (gap == 1) continue;
    Affine q = affine_divide(v, &x, gap), rest = x;
    affine_add(&rest, &q, -gap);
    if (!add_guard(v, rest, 0, 1, guards, &count)) return -1;
    out->axis[i] = q;
  }
  return count;
}

static int unslide_operand(Vars *v, const Node *n, const Index *at, Index *out, Guard *guards) {
  const int axis = (int)n->attr[0];
  const int64_t step = n->attr[1], most = (n->in[0]->shape.dim[axis] - 1) * step;
  int count = 0;
  *out = *at;
  Affine x = at->axis[axis];
  affine_add(&x, &at->axis[axis + 1], -n->attr[2]);
  if (!add_guard(v, x, 0, most + 1, guards, &count)) return -1;
  out->axis[axis] = affine_divide(v, &x, step);
  if (step == 1) return count;
  affine_add(&x, &out->axis[axis], -step);
  return add_guard(v, x, 0, 1, guards, &count) ? count : -1;
}

int index_operand(Vars *v, const Node *n, int k, const Index *at, Index *out, Guard *guards) {
  const Node *x = n->in[k];
  int count = 0;
  memset(out, 0, sizeof *out);
  out->rank = x->shape.rank;
  switch (n->op) {
  case OP_RESHAPE: reshape_operand(v, x->shape, n->shape, at, out); return 0;
  case OP_TRANSPOSE:
    for (int i = 0; i < out->rank; i++) out->axis[n->attr[i]] = at->axis[i];
    return 0;
  case OP_BROADCAST:
    for (int i = 0; i < out->rank; i++)
      if (x->shape.dim[i] != 1) out->axis[i] = at->axis[n->attr[i]];
    return 0;
  case OP_SLICE:
    for (int i = 0; i < out->rank; i++) {
      out->axis[i] = affine_const(n->attr[i]);
      affine_add(&out->axis[i], &at->axis[i], n->attr[2 * out->rank + i]);
    }
    return 0;
  case OP_PAD: return pad_operand(v, n, at, out, guards);
  case OP_SLIDE: {
    const int axis = (int)n->attr[0];
    *out = *at;
    out->axis[axis] = affine_const(0);
    affine_add(&out->axis[axis], &at->axis[axis], n->attr[1]);
    affine_add(&out->axis[axis], &at->axis[axis + 1], n->attr[2]);
    return 0;
  }
  case OP_UNSLIDE: return unslide_operand(v, n, at, out, guards);
  case OP_CONCAT: {
    int axis = (int)n->attr[0];
    int64_t before = 0;
    for (int i = 0; i < k; i++) before += n->in[i]->shape.dim[axis];
    *out = *at;
    out->axis[axis].base -= before;
    if (!add_guard(v, out->axis[axis], 0, x->shape.dim[axis], guards, &count)) return -1;
    return count;
  }
  default: ice("loops", "%s is no shape operation", op_info[n->op].text);
  }
}
