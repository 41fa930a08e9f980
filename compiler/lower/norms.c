// How strongly the loss and each term pull: norms of gradients, for reports. In: the training's step,
// elaborated once more. Out: of each the Euclidean norm of its gradient by all parameters that it is
// minimized over, where the parameters are now. Of a term `by prox` it is that of a subgradient.
#include "../ad/ad.h"
#include "train.h"

static Node *norm_of(Cx *cx, const Step *s, Node *y, const bool *by) {
  Node **xs = ARENA_ARRAY(cx->a, Node *, cx->params.len + 1), *sum = NULL;
  Node **slopes = ARENA_ARRAY(cx->a, Node *, cx->params.len + 1);
  int n = 0;
  for (int i = 0; i < cx->params.len; i++)
    if (by[i]) xs[n++] = s->inputs[i];
  ad_gradient(cx->g, y, xs, n, slopes);
  for (int i = 0; i < n; i++) {
    Node *square = graph_reduce_all(cx->g, OP_SUM, graph_binary(cx->g, OP_MUL, slopes[i], slopes[i]));
    sum = sum ? graph_binary(cx->g, OP_ADD, sum, square) : square;
  }
  return graph_unary(cx->g, OP_SQRT, sum);
}

static void output(Cx *cx, int index, const char *name, Node *n) {
  graph_output_port(cx->g, (Port){REG_SLOT_NORM, index}, arena_printf(cx->a, "gradient:%s", name), n, -1);
}

Graph *norms_graph(Lowered *l, LowerTrain *t, int64_t batch) {
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s norms", t->name), MODE_TRAIN, batch);
  Step s = {0};
  if (!step_elaborate(cx, t, false, true, &s)) return NULL;
  if (s.first_loss) output(cx, 0, "loss", norm_of(cx, &s, s.first_loss, s.loss_by));
  for (int i = 0; i < s.nterms; i++)
    if (s.plain[i]) output(cx, i + 1, t->terms.data[i].name, norm_of(cx, &s, s.plain[i], s.by[i]));
  return prune(cx, cx->g);
}
