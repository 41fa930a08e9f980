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

// c[b] = op(a[b]) op(b[b]), row-major: op(a) is m x k, op(b) is k x n; `ta`, `tb`: the operand is stored
// transposed. `stride_*`: elements from one matrix of the batch to the next (0: the same one). Split over
// threads in a way that depends on the sizes only.
void reg_gemm(reg_ctx *ctx, int32_t ta, int32_t tb, int64_t m, int64_t n, int64_t k, int64_t batch,
              const float *a, int64_t stride_a, const float *b, int64_t stride_b, float *c, int64_t stride_c);

// out[i] = x[i] where all are whole numbers from 0 to below size; else 1, and the fault at `place` is kept.
// x: int32_t, float or double by its type.
typedef enum reg_index_type { REG_INDEX_I32, REG_INDEX_F32, REG_INDEX_F64 } reg_index_type;
int32_t reg_index(reg_ctx *ctx, const void *x, int32_t *out, int64_t count, int64_t size, int32_t type,
                  const char *place);
// out[i, :] = x[index[i], :] for i < count; x has `rows` rows of `width` elements; indices are clamped to
// 0..rows-1.
void reg_gather(reg_ctx *ctx, const void *x, const int32_t *index, void *out, int64_t rows, int64_t width,
                int64_t count);
// out (rows x width, set to zero first) [index[i], :] += x[i, :] in the order of i.
void reg_scatter_add(reg_ctx *ctx, const int32_t *index, const float *x, float *out, int64_t rows,
                     int64_t width, int64_t count);
// The same along the last axis: x [outer, n], index [outer, m].
void reg_take_along(reg_ctx *ctx, const void *x, const int32_t *index, void *out, int64_t outer, int64_t n,
                    int64_t m);
void reg_put_along(reg_ctx *ctx, const int32_t *index, const float *x, float *out, int64_t outer, int64_t m,
                   int64_t n);
// Ascending, stable; NaN last. x [outer, n].
void reg_argsort(reg_ctx *ctx, const float *x, int32_t *out, int64_t outer, int64_t n);
// Prefix sums along the middle axis of x [outer, n, inner], sums in double.
void reg_cumsum(reg_ctx *ctx, const float *x, float *out, int64_t outer, int64_t n, int64_t inner,
                int32_t reverse);
#endif
