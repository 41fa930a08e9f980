// Products with the windows of images, CONV and CONV_WEIGHTS of ops.def, and with panels: builders, shapes,
// values.
#include "ops.h"

Node *graph_conv(Graph *g, Node *x, Node *y, const int64_t *apart, bool back) {
  const int64_t attr[] = {apart[0], apart[1], apart[2], apart[3], back};
  Node proto = {.op = OP_CONV, .in = (Node *[]){x, y}, .nin = 2, .attr = attr, .nattr = 5};
  return node_build(g, &proto);
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

const char *infer_window(Arena *a, Node *n) {
  if (n->op == OP_PANELS) return infer_panels(a, n);
  if (n->op == OP_PANEL_PRODUCT) return infer_panel_product(a, n);
  const int64_t limit = (int64_t)1 << 40;
  const Node *x = n->in[0], *y = n->in[1];
  const bool weights = n->op == OP_CONV_WEIGHTS;
  if (x->dtype != DT_F32 || y->dtype != DT_F32) return "windows are multiplied in f32";
  if (x->shape.rank != 4 || y->shape.rank != 4)
    return "an image has four axes, as what it is multiplied with";
  if (n->nattr != 5 + weights) return "steps, spreads, and what windows are";
  const bool back = !weights && n->attr[4];
  n->dtype = DT_F32;
  n->shape = x->shape;
  for (int i = 0; i < 2; i++) {
    const int64_t size = weights ? n->attr[4 + i] : y->shape.dim[i], step = n->attr[i],
                  spread = n->attr[2 + i];
    if (size < 1 || size > limit || step < 1 || step > limit || spread < 0 || spread > limit / size)
      return "size, step or spread out of range";
    if (back && step != 1) return "backwards, steps are 1";
    const int64_t room = x->shape.dim[1 + i] - 1 - (size - 1) * spread;
    if (room < 0) return "no window fits";
    n->shape.dim[1 + i] = room / step + 1;
  }
  if (!weights) {
    if (n->attr[4] != 0 && n->attr[4] != 1) return "back is 0 or 1";
    if (x->shape.dim[3] != y->shape.dim[back ? 3 : 2]) return "the channels of image and weights differ";
    n->shape.dim[3] = y->shape.dim[back ? 2 : 3];
    return shape_fault(a, n->shape);
  }
  for (int i = 0; i < 3; i++)
    if (n->shape.dim[i] != y->shape.dim[i]) return "there is not one row for each window";
  n->shape = shape_of(4, n->attr[4], n->attr[5], x->shape.dim[3], y->shape.dim[3]);
  return shape_fault(a, n->shape);
}

// Over all windows [n, i, j], their elements [a, b, c] and units u.
static void eval_conv(const Node *n, const double *x, const double *y, double *out) {
  const bool weights = n->op == OP_CONV_WEIGHTS, back = !weights && n->attr[4];
  const Shape image = n->in[0]->shape, filter = weights ? n->shape : n->in[1]->shape,
              result = weights ? n->in[1]->shape : n->shape;
  const int64_t windows = result.dim[0] * result.dim[1] * result.dim[2], A = filter.dim[0], B = filter.dim[1],
                channels = image.dim[3], units = result.dim[3];
  for (int64_t e = 0; e < windows * A * B * channels * units; e++) {
    const int64_t u = e % units, c = e / units % channels, b = e / units / channels % B,
                  a = e / units / channels / B % A, w = e / units / channels / B / A, j = w % result.dim[2],
                  i = w / result.dim[2] % result.dim[1], image_n = w / result.dim[2] / result.dim[1];
    const int64_t row = i * n->attr[0] + (back ? A - 1 - a : a) * n->attr[2],
                  column = j * n->attr[1] + (back ? B - 1 - b : b) * n->attr[3];
    const double from = x[((image_n * image.dim[1] + row) * image.dim[2] + column) * channels + c];
    const int64_t at =
        back ? ((a * B + b) * units + u) * channels + c : ((a * B + b) * channels + c) * units + u;
    if (weights)
      out[at] += from * y[w * units + u];
    else
      out[w * units + u] += from * y[at];
  }
}

void eval_window(const Node *n, double **v, double *out) {
  const double *x = v[n->in[0]->id];
  if (n->op == OP_PANELS)
    eval_panels(n, x, out);
  else
    (n->op == OP_PANEL_PRODUCT ? eval_panel_product : eval_conv)(n, x, v[n->in[1]->id], out);
}
