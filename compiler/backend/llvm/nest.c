// One nest as code: loops from the outermost in, the vector's loop in turns of several vectors and a
// straight-line rest.
//
// Where the vector runs over a kept axis, the reduced loops lie inside of it and each copy has its
// accumulators; where it runs over a reduced axis, the accumulators of the copies and lanes are combined
// behind the loops.
#include "emit.h"
#include <string.h>

typedef struct NestState {
  Kernel *k;
  bool in_double, blocked; // long sums; in blocks along the vector
  int most_copies;
  Accumulator *accumulators; // [out][copy]
  LLVMValueRef piece;        // partial sums go to this piece, or NULL
} NestState;

static void emit_level(NestState *s, int level, int copies, LLVMValueRef tail);

static LLVMBasicBlockRef new_block(Kernel *k) {
  return LLVMAppendBasicBlockInContext(k->m->context, k->fn, "");
}

CountedLoop emit_loop_begin(Kernel *k, LLVMValueRef first, LLVMValueRef limit) {
  CountedLoop l = {
      .first = first, .before = LLVMGetInsertBlock(k->builder), .head = new_block(k), .body = new_block(k)};
  l.enter = LLVMBuildBr(k->builder, l.head);
  LLVMPositionBuilderAtEnd(k->builder, l.head);
  l.index = LLVMBuildPhi(k->builder, k->m->i64, "");
  l.more = LLVMBuildICmp(k->builder, LLVMIntSLT, l.index, limit, "");
  LLVMPositionBuilderAtEnd(k->builder, l.body);
  return l;
}

void emit_loop_end(Kernel *k, const CountedLoop *l, LLVMValueRef next) {
  LLVMBasicBlockRef last = LLVMGetInsertBlock(k->builder), after = new_block(k);
  LLVMBuildBr(k->builder, l->head);
  LLVMPositionBuilderAtEnd(k->builder, l->head);
  LLVMBuildCondBr(k->builder, l->more, l->body, after);
  LLVMValueRef values[] = {l->first, next};
  LLVMBasicBlockRef from[] = {l->before, last};
  LLVMAddIncoming(l->index, values, from, 2);
  LLVMPositionBuilderAtEnd(k->builder, after);
}

// What was computed at a deeper level than the one at hand is gone.
static void forget(Kernel *k) {
  int n = 0;
  for (int i = 0; i < k->memo.len; i++)
    if (k->memo.data[i].depth <= k->depth) k->memo.data[n++] = k->memo.data[i];
  k->memo.len = n;
  for (int i = 0; i < k->masks.len; i++)
    if (k->masks.data[i].depth > k->depth) k->masks.data[i].value = NULL;
}

static void for_copies(NestState *s, int copies, LLVMValueRef tail, void (*visit)(NestState *s, int copy)) {
  Kernel *k = s->k;
  for (int i = 0; i < copies; i++) {
    k->shift = (int64_t)i * LANES;
    k->tail = i == copies - 1 ? tail : NULL;
    visit(s, i);
  }
  k->shift = 0;
  k->tail = NULL;
}

static void emit_body(NestState *s, int copy) {
  Kernel *k = s->k;
  const Nest *n = k->nest;
  LLVMValueRef *values = ARENA_ARRAY(k->m->arena, LLVMValueRef, n->nouts);
  for (int i = 0; i < n->nouts; i++) {
    Node *x = n->outs[i].node;
    values[i] = emit_value(k, n->outs[i].kind == OUT_REDUCE ? x->in[0] : x, &k->loops.space, 0);
  }
  Affine element = index_linear(n->space, &k->loops.space);
  for (int i = 0; i < n->nouts; i++) {
    const NestOut *o = &n->outs[i];
    if (o->kind == OUT_STORE)
      emit_store(k, emit_buffer(k, o->buffer), o->node->dtype, &element, values[i]);
    else
      emit_sum_add(k, o, &s->accumulators[i * s->most_copies + copy], s->in_double && !s->blocked, values[i]);
  }
}

static void start_copy(NestState *s, int copy) {
  const Nest *n = s->k->nest;
  for (int i = 0; i < n->nouts; i++)
    if (n->outs[i].kind == OUT_REDUCE)
      emit_sum_start(s->k, &n->outs[i], &s->accumulators[i * s->most_copies + copy], s->in_double,
                     s->blocked);
}

static void finish_outputs(NestState *s, int first_copy, int copies) {
  Kernel *k = s->k;
  const Nest *n = k->nest;
  for (int i = 0; i < n->nouts; i++) {
    if (n->outs[i].kind != OUT_REDUCE) continue;
    Index at = {.rank = 0};
    for (int j = 0; j < n->space.rank; j++)
      if (!(n->reduced >> j & 1)) at.axis[at.rank++] = k->loops.space.axis[j];
    Affine to = index_linear(n->outs[i].node->shape, &at);
    emit_sum_finish(k, &n->outs[i], &s->accumulators[i * s->most_copies + first_copy], copies, s->in_double,
                    &to, n->outs[i].partial ? s->piece : NULL);
  }
}

static void finish_copy(NestState *s, int copy) { finish_outputs(s, copy, 1); }

// Loops `variable` from first to limit by step around the deeper levels.
static void emit_loop(NestState *s, int level, LLVMValueRef first, LLVMValueRef limit, int64_t step,
                      int copies, LLVMValueRef tail) {
  Kernel *k = s->k;
  Emitter *m = k->m;
  int var = k->loops.order[level];
  CountedLoop l = emit_loop_begin(k, first, limit);
  if (!k->leave[k->depth]) k->leave[k->depth] = l.enter;
  k->value[var] = l.index;
  k->depth++;
  emit_level(s, level + 1, copies, tail);
  k->depth--;
  emit_loop_end(k, &l, LLVMBuildNSWAdd(k->builder, l.index, emit_int64(m, step), ""));
  forget(k);
}

static LLVMValueRef tail_mask(Emitter *m, int64_t lanes) {
  LLVMValueRef on[LANES];
  for (int i = 0; i < LANES; i++) on[i] = LLVMConstInt(m->i1, i < lanes, 0);
  return LLVMConstVector(on, LANES);
}

// The elements from `main` on: fewer than one turn of the loop, in the last piece only.
static void emit_rest(NestState *s, int level, int64_t main, int64_t size) {
  Kernel *k = s->k;
  int64_t rest = size - main;
  LLVMBasicBlockRef block = new_block(k), after = new_block(k);
  bool conditional = level == 0 && k->limit && !LLVMIsConstant(k->limit);
  LLVMValueRef enter;
  if (conditional) {
    LLVMValueRef is_last = LLVMBuildICmp(k->builder, LLVMIntEQ, k->limit, emit_int64(k->m, size), "");
    enter = LLVMBuildCondBr(k->builder, is_last, block, after);
  } else {
    enter = LLVMBuildBr(k->builder, block);
  }
  if (main == 0 || !k->leave[k->depth]) k->leave[k->depth] = enter;
  LLVMPositionBuilderAtEnd(k->builder, block);
  k->value[k->loops.order[level]] = emit_int64(k->m, main);
  k->depth++;
  k->leave[k->depth] = NULL;
  emit_level(s, level + 1, (int)((rest + LANES - 1) / LANES),
             rest % LANES ? tail_mask(k->m, rest % LANES) : NULL);
  k->depth--;
  LLVMBuildBr(k->builder, after);
  LLVMPositionBuilderAtEnd(k->builder, after);
  forget(k);
}

static void flush(NestState *s) {
  for (int i = 0; i < s->k->nest->nouts * s->most_copies; i++) emit_sum_flush(s->k, &s->accumulators[i]);
}

enum { BLOCK = 8192 }; // elements that are summed in float

// The vector's loop in blocks, each of which ends with its sums added to the totals.
static void emit_blocks(NestState *s, int level, LLVMValueRef first, LLVMValueRef limit) {
  Kernel *k = s->k;
  Emitter *m = k->m;
  CountedLoop l = emit_loop_begin(k, first, limit);
  k->leave[k->depth] = l.enter;
  LLVMValueRef next = LLVMBuildNSWAdd(k->builder, l.index, emit_int64(m, BLOCK), "");
  LLVMValueRef within = LLVMBuildICmp(k->builder, LLVMIntSLT, next, limit, "");
  LLVMValueRef end = LLVMBuildSelect(k->builder, within, next, limit, "");
  emit_loop(s, level, l.index, end, (int64_t)k->schedule.copies * LANES, k->schedule.copies, NULL);
  flush(s);
  emit_loop_end(k, &l, next);
}

static void emit_vector_level(NestState *s, int level) {
  Kernel *k = s->k;
  int64_t size = k->loops.vars.var[k->loops.order[level]].size, turn = (int64_t)k->schedule.copies * LANES,
          main = size / turn * turn;
  LLVMValueRef first = emit_int64(k->m, 0), limit = emit_int64(k->m, main);
  if (level == 0) {
    first = k->first;
    LLVMValueRef beyond = LLVMBuildICmp(k->builder, LLVMIntSLT, k->limit, limit, "");
    limit = LLVMBuildSelect(k->builder, beyond, k->limit, limit, "");
  }
  k->leave[k->depth] = NULL;
  if (main > 0 && s->blocked)
    emit_blocks(s, level, first, limit);
  else if (main > 0)
    emit_loop(s, level, first, limit, turn, k->schedule.copies, NULL);
  if (main < size) emit_rest(s, level, main, size);
  if (s->blocked) flush(s);
}

static void emit_level(NestState *s, int level, int copies, LLVMValueRef tail) {
  Kernel *k = s->k;
  const NestLoops *n = &k->loops;
  bool vector_kept = n->vector < n->nkept;
  int accumulators = vector_kept ? copies : s->most_copies;
  if (level == n->nkept) for_copies(s, accumulators, tail, start_copy);
  if (level == n->nloops) {
    for_copies(s, copies, tail, emit_body);
  } else if (level == n->vector) {
    emit_vector_level(s, level);
  } else {
    LLVMValueRef first = level ? emit_int64(k->m, 0) : k->first;
    LLVMValueRef limit = level ? emit_int64(k->m, n->vars.var[n->order[level]].size) : k->limit;
    k->leave[k->depth] = NULL;
    emit_loop(s, level, first, limit, 1, copies, tail);
  }
  if (level != n->nkept) return;
  if (vector_kept)
    for_copies(s, copies, tail, finish_copy);
  else
    finish_outputs(s, 0, s->most_copies);
}

// Trips of the reduced loops that one lane of an accumulator sees.
static double trips(const Kernel *k) {
  const NestLoops *n = &k->loops;
  double t = 1;
  for (int i = n->nkept; i < n->nloops; i++) t *= (double)n->vars.var[n->order[i]].size;
  return n->vector >= n->nkept ? t / (LANES * k->schedule.copies) : t;
}

void emit_nest_begin(Kernel *k, const Nest *nest) {
  k->nest = nest;
  nest_loops(k->m->arena, k->m->f, nest, &k->loops);
  k->schedule = schedule_for(nest, &k->loops);
}

void emit_nest(Kernel *k, LLVMValueRef piece) {
  Emitter *m = k->m;
  const Nest *nest = k->nest;
  k->depth = 0;
  k->memo.len = k->masks.len = 0;
  int64_t size = k->loops.vars.var[k->loops.order[0]].size;
  if (piece) {
    LLVMValueRef chunk = emit_int64(m, k->schedule.chunk), end = emit_int64(m, size);
    k->first = LLVMBuildNSWMul(k->builder, piece, chunk, "");
    LLVMValueRef limit = LLVMBuildNSWAdd(k->builder, k->first, chunk, "");
    k->limit =
        LLVMBuildSelect(k->builder, LLVMBuildICmp(k->builder, LLVMIntSLT, limit, end, ""), limit, end, "");
  } else {
    k->first = emit_int64(m, 0);
    k->limit = emit_int64(m, size);
  }
  int rest = (int)(k->loops.vars.var[k->loops.order[k->loops.vector]].size % (k->schedule.copies * LANES) +
                   LANES - 1) /
             LANES;
  NestState s = {.k = k, .in_double = trips(k) > 1024, .piece = piece};
  s.most_copies = rest > k->schedule.copies ? rest : k->schedule.copies;
  s.accumulators = ARENA_ARRAY(m->arena, Accumulator, nest->nouts * s.most_copies);
  if (piece && k->loops.nkept == 0) s.in_double = true;
  bool reduced = k->loops.vector >= k->loops.nkept;
  s.blocked = s.in_double && reduced && k->loops.vars.var[k->loops.order[k->loops.vector]].size >= 512;
  emit_level(&s, 0, 1, NULL);
}
