// Coordinate descent, for penalties and losses that are sums over elements. In each block of passes the loss
// is replaced by its quadratic model at w, of the columns of a working set, which is minimized one coordinate
// after another; a step along the way there makes the objective smaller. The working set are the columns that
// the strong rule keeps, and what violates the conditions of a minimum. Friedman, Hastie & Tibshirani 2010,
// Regularization Paths for Generalized Linear Models via Coordinate Descent; Tibshirani et al. 2012, Strong
// Rules for Discarding Predictors in Lasso-Type Problems.
#include "solve/ahead.h"
#include "solve/jump.h"
#include "solve/solve.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The model of one output: gradient and curvature of the loss along the columns of the working set.
typedef struct Work {
  Solve *s;
  bool whole;      // products of all columns are there, and `g` is of all
  bool *in;        // [p]
  int64_t output;  // that it is of
  int64_t *column; // of the working set, ascending
  int64_t size;
  bool products;        // their products with each other are in `gram`
  double *gram;         // [size, size]; or of all columns
  int64_t line;         // of it
  double *scaled;       // [size, n]
  double *slope;        // [n], where there are no products
  double *weight;       // [n]: the curvature
  double *square;       // [size]: the curvature along each column
  double *g, *w;        // [size]
  int64_t *face;        // [size]: those that are not 0
  double *way, *part;   // [size], [size, size]: of a jump
  double *left, *rows;  // [4, p], [n]: of one by conjugate gradients
  double *start, *next; // [p, c]
  double *ratio;        // [p]
  double along;         // how much of the last step was taken
  double share;         // of the curvature that rows have where the loss is straight
  Ahead ahead;
  bool watches, close; // the gap of products is looked at behind each pass; it is small enough
} Work;

enum {
  GRAM_COLUMNS = 2048,   // whose products with each other are kept
  SMALL = 256,           // a working set may always be as large
  PATIENCE = 8,          // passes before a jump,
  PATIENCE_COLUMNS = 20, // and one more for so many columns: about what it costs
  WITHIN = 200,          // passes over a model with curvature that the loss lacks: the next one is better
  JUMP_COLUMNS = 1536,   // of the largest matrix that is factored
  MOST_DIRECTIONS = 500
};

static const double LEAST_SHARE = 1e-6, MOST_SHARE = 1e3, FINEST = 1e-10;

static bool takes_gram(const Solve *s) { return s->quadratic && s->p <= s->n && s->p <= GRAM_COLUMNS; }

// Else they would cost more than passes over the rows.
static bool by_products(const Solve *s, int64_t size) { return size <= s->n || size <= JUMP_COLUMNS; }

static double strength(const Solve *s, int64_t j, int part) { return block_of(s, j)->part[part]; }

// -- the working set

// How near the column is to leaving 0: from 1 on it does. Of what is not drawn to 0: infinite.
static double urgency(const Solve *s, int64_t j) {
  const double a = strength(s, j, PART_ABSOLUTE);
  const SolveBlock *b = block_of(s, j);
  double most = 0;
  for (int64_t k = 0; k < s->c; k++) {
    const double g = s->gradient[j * s->c + k];
    const double x = boxed(b, (j - b->first) * s->c + k, -g) == 0 ? 0 : fabs(g); // an end is in the way
    if (s->w[j * s->c + k] != 0 || a == 0) return INFINITY;
    if (x > most) most = x;
  }
  return most / a;
}

static int descending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

// The largest urgencies among as many columns as are worth a product with each other.
static double cut(const Solve *s, Work *k, double keep) {
  int64_t inside = 0, above = 0;
  for (int64_t j = 0; j < s->p; j++) {
    inside += k->in[j] || isinf(k->ratio[j]);
    above += k->ratio[j] >= keep;
  }
  const int64_t most = 2 * inside > SMALL ? 2 * inside : SMALL;
  if (above <= most) return keep;
  memcpy(k->next, k->ratio, (size_t)s->p * sizeof(double));
  qsort(k->next, (size_t)s->p, sizeof(double), descending);
  return k->next[most - 1] > 1 ? k->next[most - 1] : 1;
}

// True where it grew. `first`: by the strong rule, from the solution of a neighbouring strength.
static bool grow(Solve *s, Work *k, bool first) {
  double most = 1;
  for (int64_t j = 0; j < s->p; j++) {
    k->ratio[j] = urgency(s, j);
    if (first && isfinite(k->ratio[j]) && k->ratio[j] > most) most = k->ratio[j];
  }
  if (first) // where it starts, the largest one is the strength that it comes from
    for (int64_t j = 0; j < s->p; j++) {
      const double a = strength(s, j, PART_ABSOLUTE);
      for (int64_t o = 0; o < s->c && a > 0; o++) {
        const double w = s->w[j * s->c + o],
                     x = fabs(s->gradient[j * s->c + o] + strength(s, j, PART_SQUARE) * w) / a;
        if (w != 0 && x > most) most = x;
      }
    }
  // A column costs nothing before it moves where all products are there.
  double keep = k->whole ? -INFINITY : first ? 2 - most : 1 + 1e-12;
  if (!k->whole) keep = cut(s, k, keep);
  int64_t before = k->size, size = 0;
  for (int64_t j = 0; j < s->p; j++) {
    k->in[j] = k->in[j] || k->ratio[j] >= keep;
    if (k->in[j]) k->column[size++] = j;
  }
  k->size = size;
  return size > before;
}

// -- the model

// The curvature of output o along the columns, and of each two of them.
static void model(Solve *s, Work *k, int64_t o) {
  const int64_t n = s->n;
  if (k->whole) {
    k->gram = s->gram;
    k->line = s->p;
    k->products = true;
    return;
  }
  for (int64_t i = 0; i < n; i++) k->weight[i] = fmax(s->curvature[i * s->c + o], s->floor);
  k->products = by_products(s, k->size);
  k->line = k->size;
  for (int64_t a = 0; a < k->size; a++) {
    const double *f = s->f + k->column[a] * n;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += k->weight[i] * f[i] * f[i];
    k->square[a] = sum;
    for (int64_t i = 0; k->products && i < n; i++) k->scaled[a * n + i] = sqrt(k->weight[i]) * f[i];
  }
  if (k->products) solve_squares(s->ctx, k->size, n, k->scaled, k->gram);
}

// -- passes

static double soft(double x, double t) { return x > t ? x - t : x < -t ? x + t : 0; }

// Where the a-th column of the working set is in what is kept of products and gradients.
static int64_t place(const Work *k, int64_t a) { return k->whole ? k->column[a] : a; }

static double along(const Solve *s, const Work *k, int64_t a) {
  if (k->products) return k->g[place(k, a)];
  return cblas_ddot((int)s->n, s->f + k->column[a] * s->n, 1, k->slope, 1);
}

static const double *product(const Work *k, int64_t a, int64_t b) {
  return k->gram + place(k, a) * k->line + place(k, b);
}

static double curvature(const Work *k, int64_t a) { return k->products ? *product(k, a, a) : k->square[a]; }

// The coordinate moved by d: the gradients of the others follow.
static void follow(const Solve *s, Work *k, int64_t a, double d) {
  if (k->products) {
    cblas_daxpy((int)k->line, d, k->gram + place(k, a) * k->line, 1, k->g, 1);
  } else {
    const double *f = s->f + k->column[a] * s->n;
    for (int64_t i = 0; i < s->n; i++) k->slope[i] += d * k->weight[i] * f[i];
  }
}

// The parameter of the a-th column inside of its box.
static double allowed(const Solve *s, const Work *k, int64_t a, double w) {
  const SolveBlock *b = block_of(s, k->column[a]);
  return boxed(b, (k->column[a] - b->first) * s->c + k->output, w);
}

// One pass over the working set, or what of it is not 0: by how much the model fell.
static double pass(Solve *s, Work *k, bool all) {
  double fell = 0;
  for (int64_t a = 0; a < k->size; a++) {
    const double w = k->w[a];
    const SolveBlock *b = block_of(s, k->column[a]);
    if (!all && w == 0) continue;
    const double h = curvature(k, a), below = h + b->part[PART_SQUARE];
    const double now = below > 0 ? soft(h * w - along(s, k, a), b->part[PART_ABSOLUTE]) / below
                                 : (b->part[PART_ABSOLUTE] > 0 ? 0 : w);
    const double to = allowed(s, k, a, now), d = to - w;
    if (d == 0) continue;
    follow(s, k, a, d);
    k->w[a] = to;
    fell += below * d * d / 2;
  }
  s->passes++;
  return fell;
}

// The model's curvature times x, of the n columns of the face.
static void curve_along(const Solve *s, const Work *k, int64_t n, const double *x, double *out) {
  double *rows = k->rows;
  if (!k->products) {
    memset(rows, 0, (size_t)s->n * sizeof *rows);
    for (int64_t i = 0; i < n; i++)
      cblas_daxpy((int)s->n, x[i], s->f + k->column[k->face[i]] * s->n, 1, rows, 1);
    for (int64_t i = 0; i < s->n; i++) rows[i] *= k->weight[i];
  }
  for (int64_t i = 0; i < n; i++) {
    const int64_t column = k->column[k->face[i]];
    double sum = strength(s, column, PART_SQUARE) * x[i];
    if (!k->products) sum += cblas_ddot((int)s->n, s->f + column * s->n, 1, rows, 1);
    for (int64_t j = 0; k->products && j < n; j++) sum += *product(k, k->face[i], k->face[j]) * x[j];
    out[i] = sum;
  }
}

// The way to the model's minimum by conjugate gradients, of more columns than are factored; k->way holds the
// slope downhill. However far they come, the model falls all along it. Golub & Van Loan 2013, section 11.5.
static void by_conjugate_gradients(const Solve *s, Work *k, int64_t n) {
  double *left = k->left, *ahead = left + s->p, *curved = ahead + s->p, *below = curved + s->p, size = 0,
         first;
  for (int64_t i = 0; i < n; i++) {
    below[i] = curvature(k, k->face[i]) + strength(s, k->column[k->face[i]], PART_SQUARE);
    if (below[i] == 0) below[i] = 1;
    left[i] = k->way[i];
    ahead[i] = left[i] / below[i];
    size += left[i] * ahead[i];
    k->way[i] = 0;
  }
  first = size;
  for (int made = 0; made < MOST_DIRECTIONS && size > 1e-20 * first; made++) {
    double bend = 0, now = 0;
    curve_along(s, k, n, ahead, curved);
    for (int64_t i = 0; i < n; i++) bend += ahead[i] * curved[i];
    if (!(bend > 0)) return;
    for (int64_t i = 0; i < n; i++) {
      k->way[i] += size / bend * ahead[i];
      left[i] -= size / bend * curved[i];
      now += left[i] * left[i] / below[i];
    }
    for (int64_t i = 0; i < n; i++) ahead[i] = left[i] / below[i] + now / size * ahead[i];
    size = now;
  }
}

// The same by one factorization. False: there is none.
static bool by_factor(const Solve *s, Work *k, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j <= i; j++) k->part[i * n + j] = *product(k, k->face[i], k->face[j]);
    k->part[i * n + i] += strength(s, k->column[k->face[i]], PART_SQUARE);
  }
  return jump_direction(n, k->part, k->way);
}

// At an end of its box.
static bool is_held(const Solve *s, const Work *k, int64_t a) {
  const double w = k->w[a];
  return allowed(s, k, a, nextafter(w, INFINITY)) == w || allowed(s, k, a, nextafter(w, -INFINITY)) == w;
}

// To the model's minimum among parameters of the signs that they have now and inside of their boxes, or as
// far as the first sign that changes or end that is met: where columns are nearly dependent, passes are slow,
// and this is one factorization.
static void jump(Solve *s, Work *k) {
  int64_t n = 0;
  for (int64_t a = 0; a < k->size; a++)
    if (k->w[a] != 0 && !is_held(s, k, a)) k->face[n++] = a;
  if (!n) return;
  for (int64_t i = 0; i < n; i++) {
    const int64_t a = k->face[i];
    const SolveBlock *b = block_of(s, k->column[a]);
    k->way[i] = -along(s, k, a) - b->part[PART_SQUARE] * k->w[a] - copysign(b->part[PART_ABSOLUTE], k->w[a]);
  }
  if (!k->products || n > JUMP_COLUMNS)
    by_conjugate_gradients(s, k, n);
  else if (!by_factor(s, k, n))
    return;
  double t = 1;
  for (int64_t i = 0; i < n; i++) {
    const double w = k->w[k->face[i]], d = k->way[i];
    const bool turns = strength(s, k->column[k->face[i]], PART_ABSOLUTE) > 0 && w * (w + d) <= 0;
    if (turns && -w / d < t) t = -w / d;
    const double end = allowed(s, k, k->face[i], w + d);
    if (end != w + d && (end - w) / d < t) t = (end - w) / d;
  }
  for (int64_t i = 0; i < n; i++) {
    const int64_t a = k->face[i];
    const double w = k->w[a];
    double now = w + t * k->way[i];
    if (strength(s, k->column[a], PART_ABSOLUTE) > 0 && w * now <= 0) now = 0;
    now = allowed(s, k, a, now);
    follow(s, k, a, now - w);
    k->w[a] = now;
  }
}

// By how much the model is lower at w, where its gradient is g; -INFINITY outside of a box. Differences are
// taken one by one: near the minimum those of two values would be rounding.
static double lower_at(const Solve *s, const Work *k, const double *w, const double *g) {
  double fell = 0;
  for (int64_t a = 0; a < k->size; a++) {
    const double was = k->w[a], d = w[a] - was;
    if (d == 0) continue;
    if (allowed(s, k, a, w[a]) != w[a]) return -INFINITY;
    const SolveBlock *b = block_of(s, k->column[a]);
    const double t = b->part[PART_ABSOLUTE],
                 slope = (along(s, k, a) + g[place(k, a)] + b->part[PART_SQUARE] * (was + w[a])) / 2;
    fell -= was * w[a] > 0 ? (slope + copysign(t, was)) * d : slope * d + t * (fabs(w[a]) - fabs(was));
  }
  return fell;
}

// To where the passes lead, if the model is lower there.
static void go_ahead(const Solve *s, Work *k) {
  double *w = k->left, *g = w + s->p;
  if (!ahead_reach(&k->ahead, k->size, w, k->line, g) || !(lower_at(s, k, w, g) > 0)) return;
  memcpy(k->w, w, (size_t)k->size * sizeof *w);
  memcpy(k->g, g, (size_t)k->line * sizeof *g);
}

static bool is_close(Solve *s, const Work *k) {
  double *w = s->w, *gradient = s->gradient;
  s->w = k->w;
  s->gradient = k->g;
  const double gap = solve_gap_by_products(s);
  s->w = w;
  s->gradient = gradient;
  return gap <= s->tolerance / 2 * s->scale;
}

// One pass; false where there is no need of another one.
static bool falls(Solve *s, Work *k, bool all, double enough, int64_t most) {
  if (s->passes >= most || k->close) return false;
  const double fell = pass(s, k, all);
  k->close = k->watches && is_close(s, k);
  return fell > enough && !k->close;
}

// The model's minimum for one output, to where passes lower it by less than `enough`, or the gap is reached.
static void minimize(Solve *s, Work *k, int64_t o, double enough) {
  k->output = o;
  for (int64_t a = 0; a < k->size; a++) {
    k->g[place(k, a)] = s->gradient[k->column[a] * s->c + o];
    k->w[a] = s->w[k->column[a] * s->c + o];
  }
  for (int64_t i = 0; !k->products && i < s->n; i++) k->slope[i] = s->slope[i * s->c + o];
  model(s, k, o);
  const int64_t most = s->floor > 0 && s->most - s->passes > WITHIN ? s->passes + WITHIN : s->most,
                turns = PATIENCE + k->size / PATIENCE_COLUMNS;
  k->close = false;
  while (falls(s, k, true, enough, most)) {
    k->ahead.noted = 0;
    // With products at hand a column costs nothing before it moves: there is no need to leave any out.
    for (int64_t made = 1; falls(s, k, k->products, enough, most); made++)
      if (made % turns == 0)
        jump(s, k), k->ahead.noted = 0;
      else if (k->products && ahead_note(&k->ahead, k->size, k->w, k->line, k->g))
        go_ahead(s, k);
  }
  for (int64_t a = 0; a < k->size; a++) k->next[k->column[a] * s->c + o] = k->w[a];
}

// By the products of all columns, which are smaller than these; of those that are not 0 where they are few.
static void gradient_of(Solve *s) {
  if (solve_is_sparse(s))
    solve_sum_columns(s, s->gram, s->p, s->gradient);
  else
    reg_gemm(s->ctx, false, false, s->p, s->c, s->p, 1, s->gram, 0, s->w, 0, s->gradient, 0, true);
  for (int64_t i = 0; i < s->p * s->c; i++) s->gradient[i] += s->base[i];
}

static int evaluate(Solve *s, const Work *k) {
  if (!k->whole) return solve_evaluate(s);
  solve_predict(s);
  gradient_of(s);
  return s->curve(s->user);
}

// Where the loss is straight, as huber's is far out, its model has no minimum. With as much curvature as
// lets the slopes bring the loss to 0 it has one, which is not too far away; with less of it models are
// better behind steps that were taken whole.
static double least_curvature(const Solve *s, const Work *k) {
  double squares = 0;
  bool straight = false;
  for (int64_t i = 0; i < s->n * s->c; i++) {
    straight = straight || (s->curvature[i] <= 0 && s->slope[i] != 0);
    squares += s->slope[i] * s->slope[i];
  }
  return straight && *s->value != 0 ? k->share * squares / (2 * fabs(*s->value)) : 0;
}

static void judge(Work *k) {
  if (k->along == 1)
    k->share = fmax(k->share / 4, LEAST_SHARE);
  else if (k->along < 0.5)
    k->share = fmin(k->share * 8, MOST_SHARE);
}

// From `start` towards `next`, as far as the objective falls by a part of what the model says. Tseng & Yun
// 2009.
static int step(Solve *s, Work *k) {
  const int64_t count = s->p * s->c;
  const double before = smooth_loss(s) + solve_penalty(s, k->start);
  double slope = solve_penalty(s, k->next) - solve_penalty(s, k->start);
  for (int64_t i = 0; i < count; i++) slope += s->gradient[i] * (k->next[i] - k->start[i]);
  double t = 1;
  for (int halved = 0; halved < 40; halved++, t /= 2) {
    for (int64_t i = 0; i < count; i++)
      s->w[i] = t == 1 ? k->next[i] : k->start[i] + t * (k->next[i] - k->start[i]);
    const int code = evaluate(s, k);
    if (code) return code;
    const double now = smooth_loss(s) + solve_penalty(s, s->w);
    const bool rounding = -slope <= 1e-12 * (fabs(before) + s->scale); // no more to be seen in the objective
    k->along = t;
    if (s->quadratic || rounding || now <= before + 1e-4 * t * slope) return 0;
  }
  memcpy(s->w, k->start, (size_t)count * sizeof(double));
  return evaluate(s, k);
}

static double *room(Solve *s, Heap *heap, int64_t count) {
  (void)s;
  return reg_heap_take(heap, (size_t)(count > 0 ? count : 1) * sizeof(double));
}

// Working memory is the solution's own; products of all columns are kept.
static bool take(Solve *s, Work *k, Heap *heap) {
  *k = (Work){.s = s, .share = 1};
  k->in = reg_heap_take(heap, (size_t)s->p * sizeof(bool));
  k->column = reg_heap_take(heap, (size_t)s->p * sizeof(int64_t));
  bool ok = k->in && k->column && (k->slope = room(s, heap, s->n)) && (k->weight = room(s, heap, s->n)) &&
            (k->square = room(s, heap, s->p)) && (k->g = room(s, heap, s->p)) &&
            (k->w = room(s, heap, s->p)) && (k->start = room(s, heap, s->p * s->c)) &&
            (k->next = room(s, heap, s->p * s->c)) && (k->ratio = room(s, heap, s->p));
  k->face = reg_heap_take(heap, (size_t)s->p * sizeof(int64_t));
  ok = ok && k->face && (k->way = room(s, heap, s->p)) && (k->left = room(s, heap, 4 * s->p)) &&
       (k->rows = room(s, heap, s->n)) && ahead_take(&k->ahead, s->p, heap);
  if (ok && takes_gram(s) && !s->gram)
    ok = (s->gram = room(s, s->heap, s->p * s->p)) && (s->base = room(s, s->heap, s->p * s->c)) &&
         (s->from = room(s, s->heap, s->n * s->c));
  return ok;
}

// At w = 0: the gradient, and F' h F of all columns, where the curvature h is one number for all rows.
static bool fill_gram(Solve *s) {
  const double h = s->curvature[0];
  for (int64_t i = 1; i < s->n * s->c; i++)
    if (s->curvature[i] != h) return false;
  const size_t bytes = (size_t)(s->n * s->c) * sizeof(double);
  s->value_at_zero = *s->value;
  memset(s->point, 0, bytes);
  s->conjugate_at_zero = s->dual(s->user) ? INFINITY : *s->conjugate;
  if (!s->ready || memcmp(s->from, s->slope, bytes)) {
    memcpy(s->from, s->slope, bytes);
    reg_gemm(s->ctx, false, false, s->p, s->c, s->n, 1, s->f, 0, s->slope, 0, s->base, 0, true);
  }
  if (s->ready && s->bend == h) return true;
  s->bend = h;
  solve_squares(s->ctx, s->p, s->n, s->f, s->gram);
  for (int64_t i = 0; i < s->p * s->p; i++) s->gram[i] *= h;
  return s->ready = true;
}

// Memory for the products of the working set as it is now.
static bool fit(Solve *s, Work *k, Heap *heap) {
  reg_heap_free(heap);
  *heap = (Heap){0};
  k->gram = NULL;
  if (!k->whole && !by_products(s, k->size)) return true;
  const int64_t face = k->size < JUMP_COLUMNS ? k->size : JUMP_COLUMNS;
  if (k->whole && !s->part && !(s->part = room(s, s->heap, face * face))) return false;
  k->part = s->part;
  if (k->whole) return true;
  if (!(k->part = room(s, heap, face * face))) return false;
  k->scaled = room(s, heap, k->size * s->n);
  k->gram = room(s, heap, k->size * k->size);
  return k->scaled && k->gram;
}

static SolveEnd descend(Solve *s, Work *k, Heap *products) {
  const int64_t count = s->p * s->c;
  double finer = 1, last = INFINITY;
  for (bool first = true;; first = false) {
    const bool known =
        !first || !k->whole; // else the gradient alone is, which is all that is needed at first
    if (known && solve_reached(s)) return SOLVED;
    if (s->stopped(s->user)) return SOLVE_STOPPED;
    if (s->passes >= s->most) return SOLVE_TOO_LONG;
    if (!s->within && !s->quadratic) s->floor = least_curvature(s, k);
    const bool straight = !s->within && s->floor > 0;
    if (known && !(s->gap < last / 2)) finer = straight ? fmax(finer / 10, FINEST) : finer / 10;
    if (known) last = s->gap;
    const bool grew = grow(s, k, first);
    if ((grew || first) && !fit(s, k, products)) return SOLVE_FAILED;
    // The gap is of the order of the gradient, what a pass gains of its square.
    const double to = s->quadratic ? s->tolerance : fmin(last, 1), wanted = to * to / 100 * s->scale;
    k->watches = k->whole && first && !s->within && s->c == 1 && !s->offset && isfinite(s->conjugate_at_zero);
    memcpy(k->start, s->w, (size_t)count * sizeof(double));
    memcpy(k->next, s->w, (size_t)count * sizeof(double));
    for (int64_t o = 0; o < s->c; o++) minimize(s, k, o, wanted * finer);
    if (step(s, k)) return SOLVE_FAILED;
    if (straight) judge(k);
    if (finer < 1e-15) return SOLVE_TOO_LONG;
  }
}

SolveEnd solve_by_coordinates(Solve *s) {
  Heap own = {0}, products = {0};
  Work k;
  SolveEnd end = SOLVE_FAILED;
  if (take(s, &k, &own)) {
    s->quadratic = s->quadratic && (!takes_gram(s) || fill_gram(s));
    k.whole = takes_gram(s);
    if (k.whole) gradient_of(s);
    if (k.whole || !solve_evaluate(s)) end = descend(s, &k, &products);
  }
  reg_heap_free(&own);
  reg_heap_free(&products);
  return end;
}
