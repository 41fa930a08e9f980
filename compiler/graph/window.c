// Products with the windows of images, CONV, CONV_IMAGE and CONV_WEIGHTS of ops.def, and with panels:
// builders, shapes, values.
#include "ops.h"

Node *graph_conv(Graph *g, Node *x, Node *y, const int64_t *apart) {
  Node proto = {.op = OP_CONV, .in = (Node *[]){x, y}, .nin = 2, .attr = apart, .nattr = 4};
  return node_build(g, &proto);
}

Node *graph_conv_image(Graph *g, Node *x, Node *y, const int64_t *apart, const int64_t *place) {
  const int64_t attr[] = {apart[0], apart[1], apart[2], apart[3], place[0], place[1], place[2], place[3]};
  Node proto = {.op = OP_CONV_IMAGE, .in = (Node *[]){x, y}, .nin = 2, .attr = attr, .nattr = 8};
  return node_build(g, &proto);
}

Node *graph_conv_reverse(Graph *g, Node *x, Node *y, const int64_t *apart, const int64_t *size) {
  const int64_t place[] = {0, 0, size[0], size[1]}, none[4] = {0};
  int64_t lo[4] = {0}, hi[4] = {0};
  for (int i = 0; i < 2; i++) {
    lo[1 + i] = (y->shape.dim[i] - 1) * apart[2 + i] / apart[i];
    hi[1 + i] = (size[i] - 1) / apart[i] + 1 - x->shape.dim[1 + i];
  }
  return graph_conv_image(g, graph_pad(g, x, lo, hi, none), y, apart, place);
}

Node *graph_conv_weights(Graph *g, Node *x, Node *y, const int64_t *apart, int64_t rows, int64_t columns) {
  const int64_t attr[] = {apart[0], apart[1], apart[2], apart[3], rows, columns};
  Node proto = {.op = OP_CONV_WEIGHTS, .in = (Node *[]){x, y}, .nin = 2, .attr = attr, .nattr = 6};
  return node_build(g, &proto);
}

Node *graph_panels(Graph *g, Node *w, bool turned) {
  const int64_t attr = turned;
  Node proto = {.op = OP_PANELS, .in = (Node *[]){w}, .nin = 1, .attr = &attr, .nattr = 1};
  return node_build(g, &proto);
}

Node *graph_panel_product(Graph *g, Node *x, Node *panels, int64_t columns) {
  Node proto = {.op = OP_PANEL_PRODUCT, .in = (Node *[]){x, panels}, .nin = 2, .attr = &columns, .nattr = 1};
  return node_build(g, &proto);
}

enum { PANEL = 32 };

static int64_t panels_of(int64_t columns) { return columns / PANEL + (columns % PANEL != 0); }

static const char *infer_panels(Arena *a, Node *n) {
  const Shape x = n->in[0]->shape;
  if (n->in[0]->dtype != DT_F32 || x.rank != 2) return "panels are made of a matrix in f32";
  if (n->nattr != 1 || n->attr[0] < 0 || n->attr[0] > 1) return "turned is 0 or 1";
  n->dtype = DT_F32;
  n->shape = shape_of(3, panels_of(x.dim[!n->attr[0]]), x.dim[n->attr[0]], (int64_t)PANEL);
  return shape_fault(a, n->shape);
}

static const char *infer_panel_product(Arena *a, Node *n) {
  const Node *x = n->in[0], *y = n->in[1];
  if (x->dtype != DT_F32 || y->dtype != DT_F32) return "panels are multiplied in f32";
  if (x->shape.rank != 2 || y->shape.rank != 3 || x->shape.dim[1] != y->shape.dim[1])
    return "x is a matrix with as many columns as the panels have rows";
  if (n->nattr != 1 || n->attr[0] < 0 || y->shape.dim[2] != PANEL || panels_of(n->attr[0]) != y->shape.dim[0])
    return "there are other panels than for these columns";
  n->dtype = DT_F32;
  n->shape = shape_of(2, x->shape.dim[0], n->attr[0]);
  return shape_fault(a, n->shape);
}

static void eval_panels(const Node *n, const double *w, double *out) {
  const Shape s = n->in[0]->shape;
  const bool turned = n->attr[0];
  const int64_t rows = n->shape.dim[1], columns = s.dim[!turned];
  for (int64_t j = 0; j < columns; j++)
    for (int64_t k = 0; k < rows; k++)
      out[(j / PANEL * rows + k) * PANEL + j % PANEL] = w[turned ? j * rows + k : k * columns + j];
}

static void eval_panel_product(const Node *n, const double *x, const double *panels, double *out) {
  const int64_t rows = n->shape.dim[0], columns = n->shape.dim[1], inner = n->in[0]->shape.dim[1];
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      for (int64_t k = 0; k < inner; k++)
        out[i * columns + j] += x[i * inner + k] * panels[(j / PANEL * inner + k) * PANEL + j % PANEL];
}

// Rows (0) or columns (1) of an image or of a result, and what is wrong with them.
static const char *infer_axis(const Node *n, int axis, int64_t *out) {
  const int64_t limit = (int64_t)1 << 40, has = n->in[0]->shape.dim[1 + axis],
                size = n->op == OP_CONV_WEIGHTS ? n->attr[4 + axis] : n->in[1]->shape.dim[axis],
                step = n->attr[axis], spread = n->attr[2 + axis];
  if (size < 1 || size > limit || step < 1 || step > limit || spread < 0 || spread > limit / size)
    return "size, step or spread out of range";
  if (n->op == OP_CONV_IMAGE) {
    const int64_t first = n->attr[4 + axis];
    *out = n->attr[6 + axis];
    if (first < 0 || first >= step || *out < 1 || *out > limit)
      return "height, width or their place out of range";
    return has == (*out - 1 + first) / step + 1 + (size - 1) * spread / step ? NULL : "another frame";
  }
  const int64_t room = has - 1 - (size - 1) * spread;
  *out = room / step + 1;
  return room < 0 ? "no window fits" : NULL;
}

const char *infer_window(Arena *a, Node *n) {
  if (n->op == OP_PANELS) return infer_panels(a, n);
  if (n->op == OP_PANEL_PRODUCT) return infer_panel_product(a, n);
  const Node *x = n->in[0], *y = n->in[1];
  const bool weights = n->op == OP_CONV_WEIGHTS, image = n->op == OP_CONV_IMAGE;
  if (!dtype_is_float(x->dtype) || x->dtype != y->dtype)
    return "windows are multiplied in one type of floats";
  if (x->shape.rank != 4 || y->shape.rank != 4)
    return "an image has four axes, as what it is multiplied with";
  if (n->nattr != (weights ? 6 : image ? 8 : 4)) return "steps, spreads, and what windows are";
  n->dtype = x->dtype;
  n->shape = x->shape;
  for (int i = 0; i < 2; i++) {
    const char *fault = infer_axis(n, i, &n->shape.dim[1 + i]);
    if (fault) return fault;
  }
  if (!weights) {
    if (x->shape.dim[3] != y->shape.dim[image ? 3 : 2]) return "the channels of image and weights differ";
    n->shape.dim[3] = y->shape.dim[image ? 2 : 3];
    return shape_fault(a, n->shape);
  }
  for (int i = 0; i < 3; i++)
    if (n->shape.dim[i] != y->shape.dim[i]) return "there is not one row for each window";
  n->shape = shape_of(4, n->attr[4], n->attr[5], x->shape.dim[3], y->shape.dim[3]);
  return shape_fault(a, n->shape);
}

// Over all windows [n, i, j], their elements [a, b, c] and units u.
static void eval_conv(const Node *n, const double *x, const double *y, double *out) {
  const bool weights = n->op == OP_CONV_WEIGHTS;
  const Shape image = n->in[0]->shape, filter = weights ? n->shape : n->in[1]->shape,
              result = weights ? n->in[1]->shape : n->shape;
  const int64_t windows = result.dim[0] * result.dim[1] * result.dim[2], A = filter.dim[0], B = filter.dim[1],
                channels = image.dim[3], units = result.dim[3];
  for (int64_t e = 0; e < windows * A * B * channels * units; e++) {
    const int64_t u = e % units, c = e / units % channels, b = e / units / channels % B,
                  a = e / units / channels / B % A, w = e / units / channels / B / A, j = w % result.dim[2],
                  i = w / result.dim[2] % result.dim[1], image_n = w / result.dim[2] / result.dim[1];
    const int64_t row = i * n->attr[0] + a * n->attr[2], column = j * n->attr[1] + b * n->attr[3];
    const double from = x[((image_n * image.dim[1] + row) * image.dim[2] + column) * channels + c];
    const int64_t at = ((a * B + b) * channels + c) * units + u;
    if (weights)
      out[at] += from * y[w * units + u];
    else
      out[w * units + u] += from * y[at];
  }
}

// Over all pixels [n, i, j] of x, its framing ones too, places [a, b] of the filter, and channels.
static void eval_conv_image(const Node *n, const double *x, const double *y, double *out) {
  const Shape from = n->in[0]->shape, filter = n->in[1]->shape, to = n->shape;
  const int64_t A = filter.dim[0], B = filter.dim[1], channels = filter.dim[2], units = filter.dim[3];
  int64_t before[2];
  for (int i = 0; i < 2; i++)
    before[i] = (filter.dim[i] - 1) * n->attr[2 + i] / n->attr[i] * n->attr[i] + n->attr[4 + i];
  for (int64_t e = 0; e < shape_count(from) / units * A * B; e++) {
    const int64_t b = e % B, a = e / B % A, w = e / B / A, j = w % from.dim[2],
                  i = w / from.dim[2] % from.dim[1];
    const int64_t row = i * n->attr[0] + a * n->attr[2] - before[0],
                  column = j * n->attr[1] + b * n->attr[3] - before[1];
    if (row < 0 || row >= to.dim[1] || column < 0 || column >= to.dim[2]) continue;
    const int64_t at = (w / from.dim[2] / from.dim[1] * to.dim[1] + row) * to.dim[2] + column;
    for (int64_t c = 0; c < channels; c++)
      for (int64_t u = 0; u < units; u++)
        out[at * channels + c] += x[w * units + u] * y[((a * B + b) * channels + c) * units + u];
  }
}

void eval_window(const Node *n, double **v, double *out) {
  const double *x = v[n->in[0]->id];
  if (n->op == OP_PANELS)
    eval_panels(n, x, out);
  else
    (n->op == OP_PANEL_PRODUCT ? eval_panel_product
     : n->op == OP_CONV_IMAGE  ? eval_conv_image
                               : eval_conv)(n, x, v[n->in[1]->id], out);
}
