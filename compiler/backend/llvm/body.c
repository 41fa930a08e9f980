// Loops over turns, and choices. In: a step with a body. Out: a function for the body, and the loop that
// calls it with the places of each turn's operands and results, as long as its condition holds. Holds: a
// carried value is read from one of its two places and written to the other; the first turn reads the initial
// value where it is.
#include "emit.h"

typedef struct Turn {
  Kernel *k;
  const LoopStep *s;
  LLVMValueRef number; // of turns made before
  LLVMValueRef at;     // the place of slices and stacks: `number`, or backwards
  LLVMValueRef places; // array of pointers
} Turn;

static LLVMValueRef moved(Kernel *k, LLVMValueRef base, LLVMValueRef bytes) {
  return LLVMBuildGEP2(k->builder, LLVMInt8TypeInContext(k->m->context), base, &bytes, 1, "");
}

static void set_place(Kernel *k, LLVMValueRef places, int slot, LLVMValueRef pointer) {
  LLVMValueRef i = emit_int64(k->m, slot);
  LLVMBuildStore(k->builder, pointer, LLVMBuildGEP2(k->builder, k->m->ptr, places, &i, 1, ""));
}

static int64_t bytes_of(const TensorType *t) { return dtype_size(t->dtype) * shape_count(t->shape); }

// The place that carried value c has before (`after` false) or behind the turn.
static LLVMValueRef carry_place(const Turn *t, int c, bool after) {
  Kernel *k = t->k;
  Emitter *m = k->m;
  const int64_t start = loop_work(t->s, c), size = (loop_work(t->s, c + 1) - start) / 2;
  LLVMValueRef odd = LLVMBuildAnd(k->builder, t->number, emit_int64(m, 1), "");
  if (!after) odd = LLVMBuildXor(k->builder, odd, emit_int64(m, 1), "");
  LLVMValueRef offset = LLVMBuildAdd(k->builder, LLVMBuildMul(k->builder, odd, emit_int64(m, size), ""),
                                     emit_int64(m, start), "");
  LLVMValueRef place = moved(k, emit_buffer(k, t->s->work), offset);
  if (after) return place;
  LLVMValueRef first = LLVMBuildICmp(k->builder, LLVMIntEQ, t->number, emit_int64(m, 0), "");
  return LLVMBuildSelect(k->builder, first, emit_buffer(k, t->s->in[c]), place, "");
}

static LLVMValueRef element_place(const Turn *t, const Buffer *b, int64_t bytes) {
  Kernel *k = t->k;
  return moved(k, emit_buffer(k, b), LLVMBuildMul(k->builder, t->at, emit_int64(k->m, bytes), ""));
}

static void set_places(const Turn *t, LLVMValueRef index) {
  const LoopStep *s = t->s;
  const LoopParts p = loop_parts(s->node);
  const Graph *body = s->node->body;
  set_place(t->k, t->places, 0, emit_buffer(t->k, s->work));
  set_place(t->k, t->places, 1, index);
  for (int i = 0; i < s->nin; i++) {
    const bool slice = i >= p.carries && i < p.carries + p.slices;
    const Node *inside = body->inputs.data[i + 1];
    set_place(t->k, t->places, i + 2,
              i < p.carries ? carry_place(t, i, false)
              : slice       ? element_place(t, s->in[i], node_bytes(inside))
                            : emit_buffer(t->k, s->in[i]));
  }
  for (int i = 0; i < s->node->nout; i++) {
    const Node *inside = body->outputs.data[i].node;
    set_place(t->k, t->places, s->nin + 2 + i,
              i < p.carries ? carry_place(t, i, true) : element_place(t, s->parts[i], node_bytes(inside)));
  }
}

// The function ends where the body does before its end.
static void call_body(Kernel *k, LLVMValueRef fn, LLVMValueRef ctx, LLVMValueRef places) {
  LLVMValueRef args[] = {ctx, places};
  emit_end_unless_zero(k, LLVMBuildCall2(k->builder, emit_call_type(k->m), fn, args, 2, ""));
}

static LLVMValueRef body_function(Emitter *m, const LoopFn *f) {
  LLVMValueRef fn = emit_fn(m, f, arena_printf(m->arena, "body%d", m->functions));
  LLVMSetLinkage(fn, LLVMInternalLinkage);
  return fn;
}

// Of a condition in memory.
static LLVMValueRef load_truth(Kernel *k, LLVMValueRef place) {
  LLVMTypeRef t = k->m->i8;
  return LLVMBuildICmp(k->builder, LLVMIntNE, LLVMBuildLoad2(k->builder, t, place, ""), LLVMConstNull(t), "");
}

static LLVMValueRef load_word(Kernel *k, LLVMValueRef place) {
  return LLVMBuildLoad2(k->builder, k->m->i32, place, "");
}

// How many turns there are at most, when the loop is reached.
static LLVMValueRef most_turns(Kernel *k, const LoopStep *s) {
  Emitter *m = k->m;
  const LoopParts p = loop_parts(s->node);
  LLVMValueRef most = emit_int64(m, p.turns);
  if (p.end != LOOP_COUNT) return most;
  LLVMValueRef n = LLVMBuildSExt(k->builder, load_word(k, emit_buffer(k, s->in[s->nin - 1])), m->i64, "");
  LLVMValueRef none = LLVMBuildICmp(k->builder, LLVMIntSLT, n, emit_int64(m, 0), "");
  n = LLVMBuildSelect(k->builder, none, emit_int64(m, 0), n, "");
  LLVMValueRef fewer = LLVMBuildICmp(k->builder, LLVMIntSLT, n, most, "");
  return LLVMBuildSelect(k->builder, fewer, n, most, "");
}

// `next` where the condition behind turn number t->number - 1 holds, else the end.
static LLVMValueRef or_end(const Turn *t, LLVMValueRef next, LLVMValueRef end) {
  Kernel *k = t->k;
  const LoopEnd how = loop_parts(t->s->node).end;
  if (how != LOOP_WHILE && how != LOOP_MOST) return next;
  LLVMValueRef holds = load_truth(k, carry_place(t, 0, false));
  return LLVMBuildSelect(k->builder, holds, next, end, "");
}

// Places of stacks that no turn reached, where anything but a loop over the same turns reads them.
static void clear_rest(const Turn *t) {
  Kernel *k = t->k;
  Emitter *m = k->m;
  const LoopParts p = loop_parts(t->s->node);
  for (int i = p.carries; i < t->s->node->nout; i++) {
    if (!t->s->clears[i]) continue;
    const int64_t bytes = node_bytes(t->s->node->body->outputs.data[i].node);
    LLVMValueRef done = LLVMBuildMul(k->builder, t->number, emit_int64(m, bytes), "");
    LLVMValueRef rest = LLVMBuildSub(k->builder, emit_int64(m, bytes * p.turns), done, "");
    LLVMBuildMemSet(k->builder, moved(k, emit_buffer(k, t->s->parts[i]), done), LLVMConstNull(m->i8), rest,
                    1);
  }
}

// The function ends where the loop would go on after its last turn.
static void end_if_exceeded(const Turn *t, LLVMValueRef ctx) {
  Kernel *k = t->k;
  Emitter *m = k->m;
  LLVMBasicBlockRef exceeded = LLVMAppendBasicBlockInContext(m->context, k->fn, ""),
                    next = LLVMAppendBasicBlockInContext(m->context, k->fn, "");
  LLVMValueRef holds = load_truth(k, carry_place(t, 0, false));
  LLVMBuildCondBr(k->builder, holds, exceeded, next);
  LLVMPositionBuilderAtEnd(k->builder, exceeded);
  LLVMTypeRef type = t->s->node->out[2].dtype == DT_F64 ? m->f64 : m->f32;
  LLVMValueRef watched = LLVMBuildLoad2(k->builder, type, carry_place(t, 2, false), "");
  LLVMValueRef args[] = {ctx, LLVMBuildGlobalStringPtr(k->builder, t->s->node->name, "place"),
                         LLVMBuildFPCast(k->builder, watched, m->f64, "")};
  LLVMBuildRet(k->builder, emit_runtime_call(k, m->i32, "reg_turns", args, 3));
  LLVMPositionBuilderAtEnd(k->builder, next);
}

void emit_loop_step(Kernel *k, LLVMValueRef ctx, const LoopStep *s) {
  Emitter *m = k->m;
  const LoopParts p = loop_parts(s->node);
  LLVMValueRef fn = body_function(m, s->body);
  LLVMValueRef index = emit_local(k, m->i32);
  LLVMValueRef places = emit_local(k, LLVMArrayType2(m->ptr, (uint64_t)s->body->nslots));
  LLVMValueRef made = emit_local(k, m->i64), one = emit_int64(m, 1), none = emit_int64(m, 0),
               most = most_turns(k, s);
  Turn t = {.k = k, .s = s, .number = none, .places = places};
  LLVMBuildStore(k->builder, none, made);
  const CountedLoop l = emit_loop_begin(k, or_end(&t, none, most), most);
  t.number = t.at = l.index;
  if (p.reverse) t.at = LLVMBuildSub(k->builder, LLVMBuildSub(k->builder, most, one, ""), l.index, "");
  LLVMBuildStore(k->builder, LLVMBuildTrunc(k->builder, t.at, m->i32, ""), index);
  set_places(&t, index);
  call_body(k, fn, ctx, places);
  t.number = LLVMBuildNSWAdd(k->builder, l.index, one, "");
  LLVMBuildStore(k->builder, t.number, made);
  emit_loop_end(k, &l, or_end(&t, t.number, most));
  t.number = LLVMBuildLoad2(k->builder, m->i64, made, "");
  if (p.end == LOOP_MOST) end_if_exceeded(&t, ctx);
  if (p.end != LOOP_ALL) clear_rest(&t);
  for (int c = 0; c < p.carries; c++)
    LLVMBuildMemCpy(k->builder, emit_buffer(k, s->parts[c]), 4, carry_place(&t, c, false), 4,
                    emit_int64(m, bytes_of(&s->node->out[c])));
}

static void run_side(Kernel *k, LLVMValueRef ctx, LLVMValueRef fn, LLVMValueRef places, LLVMBasicBlockRef at,
                     LLVMBasicBlockRef after) {
  LLVMPositionBuilderAtEnd(k->builder, at);
  call_body(k, fn, ctx, places);
  LLVMBuildBr(k->builder, after);
}

void emit_if_step(Kernel *k, LLVMValueRef ctx, const LoopStep *s) {
  Emitter *m = k->m;
  LLVMValueRef fn = body_function(m, s->body), other = body_function(m, s->other);
  const int slots = s->nin + s->node->nout; // scratch in the condition's place
  LLVMValueRef places = emit_local(k, LLVMArrayType2(m->ptr, (uint64_t)slots));
  set_place(k, places, 0, emit_buffer(k, s->work));
  for (int i = 1; i < s->nin; i++) set_place(k, places, i, emit_buffer(k, s->in[i]));
  for (int i = 0; i < s->node->nout; i++) set_place(k, places, s->nin + i, emit_buffer(k, s->parts[i]));
  LLVMValueRef holds = load_truth(k, emit_buffer(k, s->in[0]));
  LLVMBasicBlockRef yes = LLVMAppendBasicBlockInContext(m->context, k->fn, ""),
                    no = LLVMAppendBasicBlockInContext(m->context, k->fn, ""),
                    after = LLVMAppendBasicBlockInContext(m->context, k->fn, "");
  LLVMBuildCondBr(k->builder, holds, yes, no);
  run_side(k, ctx, fn, places, yes, after);
  run_side(k, ctx, other, places, no, after);
  LLVMPositionBuilderAtEnd(k->builder, after);
}
