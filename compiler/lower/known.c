// `k = known(e, most: N)`: a number that the program finds while it runs, and that is a known one behind the
// statement, as the size of a model is. In: the statement. Out: a stage that finds the number, and the name
// for what it is compiled for: what the host has found in a run before, or N, the largest that it may be.
// Where the stage finds another one, the run ends, and whoever started it has the program elaborated once
// more.
#include "builtins.h"
#include "stages.h"
#include <string.h>

static void refuse(Cx *cx, Span at, const char *where) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, at, "`known`", where);
  diag_hint(d, "`k = known(e, most: 64)` is a statement of its own, outside of blocks");
}

Value call_known(Cx *cx, const Args *a) {
  refuse(cx, a->at, "within an expression");
  return v_fail();
}

bool asks_known(const Stages *s, const Ast *e) {
  return e->kind == AST_CALL && e->kids[0]->kind == AST_NAME && builtin_find(e->kids[0]->name) == B_KNOWN &&
         !sema_find(s->l->program, e->kids[0]->name);
}

void lower_known(Stages *s, const Ast *bind) {
  Lowered *l = s->l;
  Cx *cx = stages_line(s);
  const Ast *call = bind->kids[0], *e = call_arg(call, "e", 0), *most = call_arg(call, "most", -1);
  const LowerHost *host = &l->host;
  int64_t largest = 0;
  if (s->list != s->whole || host->apart) {
    refuse(cx, call->span, host->apart ? "at the prompt" : "in a block");
    held_bind(s, bind->name, bind->name_span, v_fail());
    return;
  }
  if (!e || !most) diag_emit(&cx->s->diags, DIAG_missing_argument, call->span, "known", e ? "most" : "e");
  const Value bound = most ? line_value(s, most) : v_fail(), before = e ? line_value(s, e) : v_fail();
  const bool counts = bound.kind != V_FAIL && known_int(cx, &bound, "`most`", 1, INT32_MAX, &largest);
  if (counts && before.kind == V_NUM) { // nothing is to be found: by `--set`, or behind another one
    int64_t number = 1;
    known_int(cx, &before, arena_printf(cx->a, "`%s`", bind->name), 1, largest, &number);
    held_known(s, bind->name, bind->name_span, (double)number);
    return;
  }
  const int value = counts && e ? number_in(s, &before, e->span, "a number to be known", false) : -1;
  if (value < 0) {
    held_bind(s, bind->name, bind->name_span, v_fail());
    return;
  }
  const int index = l->knowns.len;
  const double found = host->known ? host->known(host->user, index, bind->name) : 0;
  const double number = found >= 1 && found <= (double)largest ? found : (double)largest;
  vec_push(l->session->arena, l->knowns,
           ((reg_known){.name = bind->name, .value = number, .most = (double)largest}));
  stages_flush(s);
  push_stage(s, (reg_stage){.kind = REG_STAGE_KNOWN,
                            .index = index,
                            .value = value,
                            .turn = -1,
                            .place = stage_place(l, bind->span)});
  held_known(s, bind->name, bind->name_span, number);
}
