// Uniform numbers as runtime/include/reg/rng.h lays them out: element e is word (e / 8) % 4 of the counter 8
// (e / 32) + e % 8.
#include "emit.h"
#include <string.h>

static LLVMValueRef scalar_at(Kernel *k, Node *n, int64_t element) {
  Index at = {.rank = n->shape.rank};
  if (at.rank) at.axis[0].base = element;
  LLVMValueRef v = emit_value(k, n, &at, 0);
  return LLVMBuildExtractElement(emit_at(k, 0), v, LLVMConstInt(k->m->i32, 0, 0), "");
}

// Four vectors of words in a local variable.
static LLVMValueRef philox(Kernel *k, Node *n, int depth, LLVMValueRef counters) {
  Emitter *m = k->m;
  LLVMTypeRef params[] = {m->vi32, m->i32, m->i32, m->i32, m->i32, m->ptr},
              t = LLVMFunctionType(m->void_t, params, 6, 0);
  LLVMValueRef fn = LLVMGetNamedFunction(m->module, "reg_vphilox");
  if (!fn) fn = LLVMAddFunction(m->module, "reg_vphilox", t);
  m->uses_vmath = true;
  LLVMValueRef words = emit_local(k, LLVMArrayType2(m->vi32, 4));
  LLVMValueRef step = scalar_at(k, n->in[1], 0), low = scalar_at(k, n->in[0], 0),
               high = scalar_at(k, n->in[0], 1);
  LLVMValueRef args[] = {counters, emit_stream(k, n), step, low, high, words};
  LLVMBuildCall2(emit_at(k, depth), t, fn, args, 6, "");
  return words;
}

static LLVMValueRef word(Kernel *k, LLVMBuilderRef b, LLVMValueRef words, int64_t w) {
  LLVMValueRef number = emit_int64(k->m, w);
  LLVMValueRef v = LLVMBuildLoad2(b, k->m->vi32, LLVMBuildGEP2(b, k->m->vi32, words, &number, 1, ""), "");
  LLVMSetAlignment(v, 32);
  return v;
}

static LLVMValueRef to_unit(Kernel *k, LLVMBuilderRef b, LLVMValueRef words) {
  LLVMValueRef v = LLVMBuildLShr(b, words, emit_const(k->m->vi32, 8), "");
  v = LLVMBuildSIToFP(b, v, k->m->vf32, "");
  return LLVMBuildFMul(b, v, emit_const(k->m->vf32, 0x1p-24), "");
}

// Whether a copy's lanes are eight neighbours that start at a multiple of 8, in a run of 32 that the nest's
// copies share.
static bool aligned(const Kernel *k, const Affine *e) {
  int vec = k->loops.order[k->loops.vector];
  if (k->schedule.copies != 4 || e->coef[vec] != 1 || e->base % 8) return false;
  for (int i = 0; i < MAX_VARS; i++)
    if (i != vec && e->coef[i] % 32) return false;
  return emit_affine_steps(k, e);
}

static LLVMValueRef draw_aligned(Kernel *k, Node *n, Affine e, int depth) {
  int64_t from = e.base + k->shift, within = (from % 32 + 32) % 32, w = within / 8, shift = k->shift;
  Index run = {.rank = 1, .axis = {e}};
  run.axis[0].base = from - within; // from is negative where the draw is not wanted: before a concat's part
  k->shift = 0;                     // one run serves several copies
  LLVMValueRef *known = emit_memo_find(k, n, &run, -1), words;
  if (known) {
    words = *known;
  } else {
    LLVMValueRef first = emit_affine_first(k, &run.axis[0]);
    LLVMBuilderRef b = emit_at(k, depth);
    first = LLVMBuildTrunc(b, LLVMBuildLShr(b, first, emit_int64(k->m, 2), ""), k->m->i32, "");
    words = philox(k, n, depth, LLVMBuildAdd(b, emit_splat(k, b, first), k->m->lane_numbers, ""));
    emit_memo_add(k, n, &run, -1, depth, words);
  }
  k->shift = shift;
  LLVMBuilderRef b = emit_at(k, depth);
  return to_unit(k, b, word(k, b, words, w));
}

static LLVMValueRef draw_any(Kernel *k, Node *n, const Affine *e, int depth) {
  LLVMTypeRef t = k->m->vi32;
  LLVMValueRef element = emit_affine_vector(k, e);
  LLVMBuilderRef b = emit_at(k, depth);
  LLVMValueRef run = LLVMBuildLShr(b, element, emit_const(t, 5), "");
  LLVMValueRef lane = LLVMBuildAnd(b, element, emit_const(t, 7), "");
  LLVMValueRef counters = LLVMBuildOr(b, LLVMBuildShl(b, run, emit_const(t, 3), ""), lane, "");
  LLVMValueRef words = philox(k, n, depth, counters);
  b = emit_at(k, depth);
  LLVMValueRef which = LLVMBuildAnd(b, LLVMBuildLShr(b, element, emit_const(t, 3), ""), emit_const(t, 3), "");
  LLVMValueRef v = word(k, b, words, 0);
  for (int w = 1; w < 4; w++)
    v = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntEQ, which, emit_const(t, w), ""), word(k, b, words, w), v,
                        "");
  return to_unit(k, b, v);
}

LLVMValueRef emit_uniform(Kernel *k, Node *n, const Index *at, int mask) {
  Affine e = index_linear(n->shape, at);
  int depth = emit_affine_depth(k, &e);
  (void)mask; // a draw outside of the mask is not wanted, and harmless
  return aligned(k, &e) ? draw_aligned(k, n, e, depth) : draw_any(k, n, &e, depth);
}
