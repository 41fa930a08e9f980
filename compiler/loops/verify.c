// What holds for every LoopFn: each buffer is written once, before it is read where it has bytes, lies in its
// slot, and shares its bytes with no other that lives at the same time.
#include "loops.h"
#include "nest.h"
#include <string.h>

typedef struct Checker {
  const LoopFn *f;
  bool *written;
  const char *error;
} Checker;

static void check_read(Checker *c, const Buffer *b, int step) {
  if (c->error) return;
  bool given = b->slot > 0 && c->f->slots[b->slot].is_input && b->node->op == OP_INPUT;
  if (!given && b->bytes && !c->written[b->id])
    c->error = arena_printf(c->f->arena, "step %d reads b%d before it is written", step, b->id);
  if (step > b->last) c->error = arena_printf(c->f->arena, "step %d reads b%d after its end", step, b->id);
}

static void check_write(Checker *c, const Buffer *b, int step) {
  if (c->error) return;
  if (c->written[b->id])
    c->error = arena_printf(c->f->arena, "step %d writes b%d a second time", step, b->id);
  c->written[b->id] = true;
}

static void check_step(Checker *c, int i) {
  const LoopStep *s = &c->f->steps[i];
  Arena *scratch = arena_new();
  Buffer **reads = ARENA_ARRAY(scratch, Buffer *, c->f->nbuffers + 1);
  const Nest *nest = s->nest;
  if (nest) {
    int n = nest_reads(scratch, c->f, nest, reads, c->f->nbuffers);
    for (int k = 0; k < n; k++) check_read(c, reads[k], i);
    for (int k = 0; k < nest->nouts; k++) {
      if (nest->outs[k].buffer->node != nest->outs[k].node)
        c->error = arena_printf(c->f->arena, "step %d stores %%%d in another node's buffer", i,
                                nest->outs[k].node->id);
      check_write(c, nest->outs[k].buffer, i);
    }
  }
  for (int j = 0; j < s->nin; j++) check_read(c, s->in[j], i);
  if (s->out) check_write(c, s->out, i);
  if (s->work) check_write(c, s->work, i);
  for (int j = 0; s->parts && j < s->node->nout; j++) check_write(c, s->parts[j], i);
  if (s->body && !c->error) c->error = loops_verify(s->body);
  if (s->other && !c->error) c->error = loops_verify(s->other);
  arena_free(scratch);
}

static void check_places(Checker *c) {
  const LoopFn *f = c->f;
  for (int i = 0; i < f->nbuffers && !c->error; i++) {
    const Buffer *x = f->buffers[i];
    if (x->slot < 0 || x->slot >= f->nslots)
      c->error = arena_printf(f->arena, "b%d lies in slot %d of %d", i, x->slot, f->nslots);
    else if (x->slot > 0 && x->bytes > slot_bytes(&f->slots[x->slot]))
      c->error = arena_printf(f->arena, "b%d is longer than its slot %d", i, x->slot);
    else if (x->slot == 0 && (x->offset % 64 || x->offset < 0 || x->offset + x->bytes > f->scratch_bytes))
      c->error = arena_printf(f->arena, "b%d lies outside of scratch memory", i);
    for (int j = 0; j < i && !c->error; j++) {
      const Buffer *y = f->buffers[j];
      bool together = x->slot == 0 && y->slot == 0 && x->first <= y->last && y->first <= x->last;
      if (together && x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes)
        c->error = arena_printf(f->arena, "b%d and b%d overlap", j, i);
    }
  }
}

const char *loops_verify(const LoopFn *f) {
  Arena *scratch = arena_new();
  Checker c = {f, ARENA_ARRAY(scratch, bool, f->nbuffers + 1), NULL};
  for (int i = 0; i < f->nsteps && !c.error; i++) check_step(&c, i);
  check_places(&c);
  arena_free(scratch);
  return c.error;
}
