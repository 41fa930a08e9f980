// Products with the windows of images, CONV and CONV_WEIGHTS of ops.def: builders, shapes, values.
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

const char *infer_window(Arena *a, Node *n) {
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
void eval_window(const Node *n, const double *x, const double *y, double *out) {
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
