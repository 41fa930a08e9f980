// What compiled code refuses, as a message: an index, a matrix.
#include "ctx.h"
#include "support.h"
#include <math.h>
#include <stdio.h>

int reg_index_fault(const char *place, double value, int64_t size, reg_status *st) {
  if (value != floor(value) || isinf(value))
    return reg_fail(st, REG_BAD_DATA, "bad_index", "%s: the index %.9g is no whole number", place, value);
  return reg_fail(st, REG_BAD_DATA, "bad_index", "%s: the index %.15g is out of range for size %lld", place,
                  value, (long long)size);
}

static int turns_fault(const char *place, double value, reg_status *st) {
  const int code =
      reg_fail(st, REG_ASSERTION, "turns_exceeded", "%s is %.9g, and the loop would go on", place, value);
  reg_hint(st, "`up to` in place of `at most` ends the loop there instead of the run");
  return code;
}

static const char *reason(reg_fault_kind kind) {
  switch (kind) {
  case REG_FAULT_NOT_FINITE: return "has an element that is infinite or NaN";
  case REG_FAULT_SINGULAR: return "is singular";
  case REG_FAULT_NOT_POSITIVE: return "is not positive definite";
  default: return "has no decomposition that converges";
  }
}

int reg_fault_status(const reg_fault *f, reg_status *st) {
  char which[64] = "the matrix";
  if (f->kind == REG_FAULT_INDEX) return reg_index_fault(f->place, f->value, f->size, st);
  if (f->kind == REG_FAULT_TURNS) return turns_fault(f->place, f->value, st);
  if (f->size > 1)
    snprintf(which, sizeof which, "matrix %lld of %lld of shape", (long long)f->value, (long long)f->size);
  return reg_fail(st, REG_BAD_DATA, "bad_matrix", "%s: %s [%lld, %lld] %s", f->place, which,
                  (long long)f->rows, (long long)f->cols, reason(f->kind));
}

int reg_ctx_fault(const reg_ctx *c, reg_status *st) { return reg_fault_status(&c->fault, st); }
