// One nest as code: loops from the outermost in, the vector's loop in turns of several vectors and a
// straight-line rest.
//
// Where the vector runs over a kept axis, the reduced loops lie inside of it and each copy has its
// accumulators, or they lie around it and the accumulators of its whole loop are a row in memory; where it
// runs over a reduced axis, the accumulators of the copies and lanes are combined behind the loops.
#include "emit.h"
#include <string.h>

typedef struct NestState NestState;
typedef void Visit(NestState *s, int copy);

struct NestState {
  Kernel *k;
  Visit *visit;            // what is done for each copy at a point
  bool in_double, blocked; // long sums; in blocks along the vector
  int most_copies;
  Accumulator *accumulators; // [out][copy]
  LLVMValueRef *rows;        // [out]: of a swept nest, or NULL
  LLVMValueRef piece;        // partial sums go to this piece, or NULL
};

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

// The accumulators of the copy at hand in the rows of sums.
static void point_at_rows(NestState *s, int copy) {
  Kernel *k = s->k;
  LLVMValueRef column = k->value[k->loops.order[k->loops.vector]];
  column = LLVMBuildNSWAdd(k->builder, column, emit_int64(k->m, k->shift), "");
  for (int i = 0; i < k->nest->nouts; i++) {
    if (!s->rows[i]) continue;
    LLVMTypeRef element = emit_sum_element(k, &k->nest->outs[i], s->in_double);
    s->accumulators[i * s->most_copies + copy].best =
        LLVMBuildGEP2(k->builder, element, s->rows[i], &column, 1, "");
  }
}

static void for_copies(NestState *s, int copies, LLVMValueRef tail, Visit *visit) {
  Kernel *k = s->k;
  for (int i = 0; i < copies; i++) {
    k->shift = (int64_t)i * LANES;
    k->tail = i == copies - 1 ? tail : NULL;
    if (s->rows) point_at_rows(s, i);
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

// The element of a sum at the point at hand.
static Affine sum_element(const Kernel *k, const NestOut *o) {
  const Nest *n = k->nest;
  Index at = {.rank = 0};
  for (int j = 0; j < n->space.rank; j++)
    if (!(n->reduced >> j & 1)) at.axis[at.rank++] = k->loops.space.axis[j];
  return index_linear(o->node->shape, &at);
}

static void combine_copy(NestState *s, int copy) {
  const Nest *n = s->k->nest;
  (void)copy;
  for (int i = 0; i < n->nouts; i++) {
    if (n->outs[i].kind != OUT_REDUCE) continue;
    Affine to = sum_element(s->k, &n->outs[i]);
    emit_sum_combine(s->k, &n->outs[i], &to);
  }
}

static void finish_outputs(NestState *s, int first_copy, int copies) {
  Kernel *k = s->k;
  const Nest *n = k->nest;
  for (int i = 0; i < n->nouts; i++) {
    if (n->outs[i].kind != OUT_REDUCE) continue;
    Affine to = sum_element(k, &n->outs[i]);
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
  bool conditional = level == 0 && !LLVMIsConstant(k->limit);
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
  if (s->blocked && main < size) flush(s);
}

// Something done along the rows of sums, outside of the reduced loops.
static void along_rows(NestState *s, Visit *visit) {
  s->visit = visit;
  emit_vector_level(s, s->k->loops.vector);
  s->visit = emit_body;
}

static void start_sums(NestState *s, int copies, LLVMValueRef tail) {
  if (s->rows)
    along_rows(s, start_copy);
  else
    for_copies(s, nest_keeps_vector(&s->k->loops) ? copies : s->most_copies, tail, start_copy);
}

static void finish_sums(NestState *s, int copies, LLVMValueRef tail) {
  if (s->rows)
    along_rows(s, finish_copy);
  else if (nest_keeps_vector(&s->k->loops))
    for_copies(s, copies, tail, finish_copy);
  else
    finish_outputs(s, 0, s->most_copies);
}

static void emit_level(NestState *s, int level, int copies, LLVMValueRef tail) {
  Kernel *k = s->k;
  const NestLoops *n = &k->loops;
  if (level == n->nkept) start_sums(s, copies, tail);
  if (level == n->nloops) {
    for_copies(s, copies, tail, s->visit);
  } else if (level == n->vector) {
    emit_vector_level(s, level);
  } else {
    LLVMValueRef first = level ? emit_int64(k->m, 0) : k->first;
    LLVMValueRef limit = level ? emit_int64(k->m, n->vars.var[n->order[level]].size) : k->limit;
    k->leave[k->depth] = NULL;
    emit_loop(s, level, first, limit, 1, copies, tail);
  }
  if (level == n->nkept) finish_sums(s, copies, tail);
}

// Trips of the reduced loops that one lane of an accumulator sees.
static double trips(const Kernel *k) {
  double turns = nest_turns(&k->loops);
  return nest_keeps_vector(&k->loops) ? turns : turns / (LANES * k->schedule.copies);
}

static void make_rows(NestState *s) {
  Kernel *k = s->k;
  const unsigned vectors = (unsigned)((nest_vector_size(&k->loops) + LANES - 1) / LANES);
  s->rows = ARENA_ARRAY(k->m->arena, LLVMValueRef, k->nest->nouts);
  for (int i = 0; i < k->nest->nouts; i++) {
    const NestOut *o = &k->nest->outs[i];
    if (o->kind == OUT_REDUCE)
      s->rows[i] =
          emit_local(k, LLVMArrayType2(LLVMVectorType(emit_sum_element(k, o, s->in_double), LANES), vectors));
  }
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
  const int64_t along = nest_vector_size(&k->loops);
  int rest = (int)(along % (k->schedule.copies * LANES) + LANES - 1) / LANES;
  NestState s = {.k = k, .visit = emit_body, .in_double = trips(k) > 1024, .piece = piece};
  s.most_copies = rest > k->schedule.copies ? rest : k->schedule.copies;
  s.accumulators = ARENA_ARRAY(m->arena, Accumulator, nest->nouts * s.most_copies);
  const bool reduced = !nest_keeps_vector(&k->loops);
  if (piece && k->loops.nkept == 0) s.in_double = true;
  s.blocked = s.in_double && reduced && along >= 64;
  if (k->loops.swept) make_rows(&s);
  emit_level(&s, 0, 1, NULL);
}

void emit_combine(Kernel *k) {
  if (!k->loops.swept) {
    emit_combine_all(k);
    return;
  }
  NestState s = {.k = k, .visit = combine_copy};
  emit_vector_level(&s, k->loops.vector);
}
