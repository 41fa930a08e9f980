// What compiled code calls, and what a compiled function looks like. Plain C, no compiler inside.
#ifndef REG_ABI_H
#define REG_ABI_H
#include <stddef.h>
#include <stdint.h>

typedef struct reg_ctx reg_ctx; // threads and counters of one run

// A compiled function. slots[0] is scratch memory (64-byte aligned, the function's scratch_bytes), the others
// are the inputs and outputs. Returns 0; else it ended before its end, and reg_ctx_fault says why. Elements
// are float, int32_t, bool as int32_t 0/1, or double.
typedef int (*reg_fn)(reg_ctx *ctx, void *const *slots);

// Pieces [begin, end) of a kernel.
typedef void (*reg_piece_fn)(void *const *slots, int64_t begin, int64_t end);

// Runs pieces 0..n-1, spread over the threads in contiguous runs; returns when all are done. n = 1 runs on
// the caller.
void reg_parallel(reg_ctx *ctx, reg_piece_fn fn, void *const *slots, int64_t pieces);

// A loop that would go on after its `turns`: 1, and the fault is kept. place: and what has `value` there.
int32_t reg_turns(reg_ctx *ctx, const char *place, int64_t turns, float value);

// What the index that reg_index judges is made of.
typedef enum reg_index_type { REG_INDEX_I32, REG_INDEX_F32, REG_INDEX_F64 } reg_index_type;

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
