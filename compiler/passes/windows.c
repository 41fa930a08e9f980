// In: a graph. Out: one in which products with windows of images, which `window` and `fold` spell, are the
// operations for that, so that windows are never stored. With W(x) the windows of x, a row for each:
//   W(x) y = conv(x, y);   W(x)^T y = conv_weights(x, y);   fold(y z^T) = conv_image(framed y, z)
// A part of a convolution is one of a part of the image, and a part of a framed image one with less of a
// frame. Images of one axis are one pixel high.
#include "all.h"
#include <string.h>

typedef struct Windows {
  Node *image;       // [n, h, w, c]
  int64_t apart[4];  // step_h, step_w, spread_h, spread_w
  int64_t size[2];   // rows, columns
  int64_t result[3]; // n, i, j
} Windows;

static bool has_perm(const Node *n, const int *perm, int rank) {
  if (n->op != OP_TRANSPOSE || n->nattr != rank) return false;
  for (int i = 0; i < rank; i++)
    if (n->attr[i] != perm[i]) return false;
  return true;
}

// Axis k - 1 slides and axis k is new in it.
static bool is_window(const Node *n, int k) {
  if (n->op != OP_SLIDE || n->attr[0] != k - 1 || n->in[0]->op != OP_BROADCAST) return false;
  const Node *b = n->in[0];
  if (b->nattr != b->shape.rank - 1) return false;
  for (int i = 0; i < b->nattr; i++)
    if (b->attr[i] != i + (i >= k)) return false;
  return true;
}

static const int to_rows[] = {0, 1, 3, 2, 4, 5}; // [n, i, a, j, b, c] to [n, i, j, a, b, c], and back

// x is a matrix of a row for each window.
static bool find_windows(Graph *g, const Node *x, Windows *out) {
  if (x->op != OP_RESHAPE) return false;
  const Node *t = x->in[0];
  const int64_t columns = x->shape.dim[1];
  *out = (Windows){.apart = {1, 1, 1, 1}, .size = {1, 1}};
  if (has_perm(t, to_rows, 6)) {
    const Node *across = t->in[0];
    if (!is_window(across, 4) || !is_window(across->in[0]->in[0], 2)) return false;
    const Node *down = across->in[0]->in[0];
    out->image = down->in[0]->in[0];
    for (int i = 0; i < 2; i++) {
      const Node *n = i ? across : down;
      out->apart[i] = n->attr[1], out->apart[2 + i] = n->attr[2];
      out->size[i] = n->shape.dim[n->attr[0] + 1];
      out->result[1 + i] = n->shape.dim[n->attr[0]];
    }
  } else if (t->shape.rank == 4 && is_window(t, 2)) {
    const Node *line = t->in[0]->in[0];
    const Shape s = line->shape;
    out->image = graph_reshape(g, t->in[0]->in[0], shape_of(4, s.dim[0], (int64_t)1, s.dim[1], s.dim[2]));
    out->apart[1] = t->attr[1], out->apart[3] = t->attr[2];
    out->size[1] = t->shape.dim[2];
    out->result[1] = 1, out->result[2] = t->shape.dim[1];
  } else {
    return false;
  }
  out->result[0] = out->image->shape.dim[0];
  return columns == out->size[0] * out->size[1] * out->image->shape.dim[3];
}

static Node *as_filter(Graph *g, Node *y, const Windows *w) {
  return graph_reshape(g, y, shape_of(4, w->size[0], w->size[1], w->image->shape.dim[3], y->shape.dim[1]));
}

static Node *product(const Rewrite *r) {
  Node *x = r->in[0], *y = r->in[1];
  const Node *old = r->old;
  Windows w;
  if (old->shape.rank != 2) return NULL;
  if (find_windows(r->g, x, &w))
    return graph_reshape(r->g, graph_conv(r->g, w.image, as_filter(r->g, y, &w), w.apart), old->shape);
  // The gradient of the weights, and its transpose.
  const bool first = x->op == OP_TRANSPOSE;
  if (!first && !find_windows(r->g, y, &w)) return NULL;
  if (first && !find_windows(r->g, x->in[0], &w)) return NULL;
  Node *z = first ? y : graph_swap(r->g, x);
  z = graph_reshape(r->g, z, shape_of(4, w.result[0], w.result[1], w.result[2], z->shape.dim[1]));
  Node *made = graph_conv_weights(r->g, w.image, z, w.apart, w.size[0], w.size[1]);
  const int64_t elements = w.size[0] * w.size[1] * w.image->shape.dim[3];
  made = graph_reshape(r->g, made, shape_of(2, elements, z->shape.dim[3]));
  return first ? made : graph_swap(r->g, made);
}

// The sum over axis k of windows that go back to axis k - 1, one after the other.
static const Node *folded(const Node *n, int k) {
  if (n->op != OP_SUM || n->nattr != 1 || n->attr[0] != k) return NULL;
  const Node *back = n->in[0];
  return back->op == OP_UNSLIDE && back->attr[0] == k - 1 ? back : NULL;
}

static Node *fold(const Rewrite *r) {
  Node like = *r->old;
  like.in = (Node **)r->in;
  const Node *down = folded(&like, 2), *across = folded(&like, 3), *t = NULL;
  if (down && down->shape.rank == 5) { // columns first, then rows; or the other way
    across = folded(down->in[0], 4), t = across ? across->in[0] : NULL;
  } else if (across && across->shape.rank == 5) {
    down = folded(across->in[0], 2), t = down ? down->in[0] : NULL;
  } else if (down && down->shape.rank == 4) {
    across = NULL, t = down->in[0];
  }
  if (!t || (across && !has_perm(t, to_rows, 6))) return NULL;
  const Node *rows = across ? t->in[0] : t;
  if (rows->op != OP_RESHAPE || rows->in[0]->op != OP_MATMUL || rows->in[0]->shape.rank != 2) return NULL;
  const Node *m = rows->in[0];
  const int64_t units = m->in[0]->shape.dim[1], c = like.shape.dim[like.shape.rank - 1];
  const Shape s = rows->shape;
  Shape image = shape_of(4, s.dim[0], across ? s.dim[1] : 1, across ? s.dim[2] : s.dim[1], units);
  Shape filter = shape_of(4, across ? s.dim[3] : 1, across ? s.dim[4] : s.dim[2], c, units);
  const int64_t apart[] = {across ? down->attr[1] : 1, across ? across->attr[1] : down->attr[1],
                           across ? down->attr[2] : 1, across ? across->attr[2] : down->attr[2]};
  const int64_t size[] = {across ? like.shape.dim[1] : 1, like.shape.dim[across ? 2 : 1]};
  if (shape_count(filter) != m->shape.dim[1] * units || shape_count(image) != m->shape.dim[0] * units)
    return NULL;
  Node *y = graph_reshape(r->g, m->in[0], image);
  Node *z = graph_reshape(r->g, graph_swap(r->g, m->in[1]), filter);
  return graph_reshape(r->g, graph_conv_reverse(r->g, y, z, apart, size), like.shape);
}

// A slice of whole rows of pixels and of pixels of a convolution that nothing else reads.
static Node *slice_conv(const Rewrite *r) {
  const Node *n = r->old, *x = r->in[0];
  const bool back = x->op == OP_CONV_IMAGE;
  if ((x->op != OP_CONV && !back) || r->uses[n->in[0]->id] > 1 || n->attr[3] ||
      n->shape.dim[3] != x->shape.dim[3])
    return NULL;
  const Shape image = x->in[0]->shape;
  int64_t start[4] = {n->attr[0]}, stop[4] = {n->attr[4], 0, 0, image.dim[3]}, once[4] = {1, 1, 1, 1},
          place[4];
  for (int i = 0; i < 4; i++)
    if (n->attr[8 + i] != 1) return NULL;
  for (int i = 0; i < 2; i++) {
    const int64_t step = x->attr[i], reach = (x->in[1]->shape.dim[i] - 1) * x->attr[2 + i],
                  first = n->attr[1 + i] + (back ? x->attr[4 + i] : 0), length = n->shape.dim[1 + i];
    if (length < 1) return NULL;
    place[i] = first % step, place[2 + i] = length;
    start[1 + i] = back ? first / step : first * step;
    stop[1 + i] = start[1 + i] + 1 +
                  (back ? (length - 1 + place[i]) / step + reach / step : (length - 1) * step + reach);
  }
  Node *part = graph_slice(r->g, x->in[0], start, stop, once);
  return back ? graph_conv_image(r->g, part, x->in[1], x->attr, place)
              : graph_conv(r->g, part, x->in[1], x->attr);
}

// A slice that takes all that a frame is around, and nothing of it between elements.
static Node *slice_pad(const Rewrite *r) {
  const Node *n = r->old, *x = r->in[0];
  const int rank = n->shape.rank;
  int64_t lo[MAX_RANK], hi[MAX_RANK];
  if (x->op != OP_PAD) return NULL;
  for (int i = 0; i < rank; i++) {
    lo[i] = x->attr[i] - n->attr[i];
    hi[i] = x->attr[rank + i] - (x->shape.dim[i] - n->attr[rank + i]);
    if (lo[i] < 0 || hi[i] < 0 || n->attr[2 * rank + i] != 1) return NULL;
  }
  return graph_pad(r->g, x->in[0], lo, hi, x->attr + 2 * rank);
}

static Node *windows(const Rewrite *r) {
  if (!dtype_is_float(r->old->dtype)) return NULL;
  switch (r->old->op) {
  case OP_MATMUL: return product(r);
  case OP_SUM: return fold(r);
  case OP_SLICE: {
    Node *made = slice_pad(r);
    return made || r->old->shape.rank != 4 ? made : slice_conv(r);
  }
  default: return NULL;
  }
}

Graph *pass_windows(Arena *a, const Graph *g) { return rewrite_graph(a, g, windows); }
