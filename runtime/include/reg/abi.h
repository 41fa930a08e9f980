// What compiled code calls, and what a compiled function looks like. Plain C, no compiler inside.
#ifndef REG_ABI_H
#define REG_ABI_H
#include <stddef.h>
#include <stdint.h>

typedef struct reg_ctx reg_ctx; // threads and counters of one run

// A compiled function. slots[0] is scratch memory (64-byte aligned, the function's scratch_bytes), the others
// are the inputs and outputs. Returns 0; else it ended before its end, and reg_ctx_fault says why. Elements
// are float, int32_t, double, or bool as a byte 0 or 1.
typedef int (*reg_fn)(reg_ctx *ctx, void *const *slots);

// Pieces [begin, end) of a kernel.
typedef void (*reg_piece_fn)(void *const *slots, int64_t begin, int64_t end);

// Runs pieces 0..n-1, spread over the threads in contiguous runs; returns when all are done. n = 1 runs on
// the caller.
void reg_parallel(reg_ctx *ctx, reg_piece_fn fn, void *const *slots, int64_t pieces);

// A loop that would go on after its last turn: 1, and the fault is kept. place: with what is `value` there.
int32_t reg_turns(reg_ctx *ctx, const char *place, double value);

// One step of a compiled function: a kernel in its pieces, or, where there are none, a call, behind which the
// function ends unless it returns 0.
typedef struct reg_step {
  union {
    reg_piece_fn kernel;
    int32_t (*call)(reg_ctx *ctx, void *const *arguments);
  } fn;
  int32_t pieces, arguments;
} reg_step;

// The address slots[slot] + value or, where `slot` is negative, the value itself.
typedef struct reg_argument {
  int64_t slot, value;
} reg_argument;

// The n steps in order, each with its arguments, which follow each other in `arguments`; `room`: for those of
// one step. 0, or what the call returned that ended it.
int32_t reg_steps(reg_ctx *ctx, void *const *slots, const reg_step *steps, int64_t n,
                  const reg_argument *arguments, void **room);
void reg_copy(reg_ctx *ctx, void *to, const void *from, int64_t bytes);

// What the index that reg_index judges is made of.
typedef enum reg_index_type { REG_INDEX_I32, REG_INDEX_F32, REG_INDEX_F64 } reg_index_type;

// Weights of so many window elements and units, numbers of 4 or 8 bytes, in panels of one or two vectors.
// Bytes.
static inline int64_t reg_conv_work(int64_t elements, int64_t units, int64_t bytes) {
  return elements * ((units * bytes + 63) / 64 * 64);
}

// Factorizations take a batch of matrices in so many pieces, each with working memory of its own: a line for
// what it refused, and doubles for one matrix.
enum { REG_FACTOR_PIECES = 16, REG_FACTOR_LINE = 64, REG_FACTOR_BLOCK = 64 };

static inline int64_t reg_factor_pieces(int64_t batch) {
  return batch < REG_FACTOR_PIECES ? batch : REG_FACTOR_PIECES;
}

static inline int64_t reg_factor_piece_bytes(int64_t doubles) {
  return REG_FACTOR_LINE + (doubles + 7) / 8 * 64;
}

static inline int64_t reg_factor_work(int64_t batch, int64_t doubles) {
  return reg_factor_pieces(batch) * reg_factor_piece_bytes(doubles);
}

// Doubles for one matrix m x n: copies, results, and what LAPACK asks for (integers in their place).
static inline int64_t reg_cholesky_doubles(int64_t n) { return n * n; }
static inline int64_t reg_trisolve_doubles(int64_t n, int64_t k) { return n * n + n * k; }
static inline int64_t reg_solve_doubles(int64_t n, int64_t k) { return n * n + n * k + 2 * n; }
static inline int64_t reg_qr_doubles(int64_t m, int64_t n) { return m * n + (2 + REG_FACTOR_BLOCK) * n; }
static inline int64_t reg_eigh_lwork(int64_t n) { return 1 + (6 + REG_FACTOR_BLOCK) * n + 2 * n * n; }
static inline int64_t reg_eigh_doubles(int64_t n) { return n * n + n + reg_eigh_lwork(n) + 5 * n + 3; }
static inline int64_t reg_svd_least(int64_t m, int64_t n) { return m < n ? m : n; }
static inline int64_t reg_svd_lwork(int64_t m, int64_t n) {
  const int64_t k = reg_svd_least(m, n);
  return 4 * k * k + 7 * k + REG_FACTOR_BLOCK * (m + n);
}
static inline int64_t reg_svd_doubles(int64_t m, int64_t n) {
  const int64_t k = reg_svd_least(m, n);
  return m * n + (m + n + 1) * k + reg_svd_lwork(m, n) + 8 * k;
}

// The library calls of calls.def, each by the parameters of its row.
#define CALL(op, symbol, result, arguments, work) result symbol(reg_ctx *ctx arguments);
#define P(parameter, value)                       , parameter
#define L(name, value)                            , int64_t name
#define W(name, value)                            , int32_t name
#include "calls.def"
#undef CALL
#undef P
#undef L
#undef W
#endif
