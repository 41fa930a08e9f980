// Vector mathematics, eight lanes at a time. In: eight floats (any bits). Out: eight floats; each lane
// depends on its own input only, and has the same bits whether the code was compiled by the C compiler or
// inlined into a kernel from bitcode.
//
// Greatest error, in units in the last place of float, over all floats (sampled): 2, and 4 for pow. Results
// below the smallest normal number may be flushed to zero, as the caller's control word says.
#ifndef REG_VMATH_H
#define REG_VMATH_H
#include <stdint.h>

typedef float reg_f32x8 __attribute__((vector_size(32)));
typedef int32_t reg_i32x8 __attribute__((vector_size(32)));
typedef uint32_t reg_u32x8 __attribute__((vector_size(32)));

reg_f32x8 reg_vexp(reg_f32x8 x);
reg_f32x8 reg_vexpm1(reg_f32x8 x);
reg_f32x8 reg_vlog(reg_f32x8 x);
reg_f32x8 reg_vlog1p(reg_f32x8 x);
reg_f32x8 reg_vtanh(reg_f32x8 x);
reg_f32x8 reg_vsigmoid(reg_f32x8 x);
reg_f32x8 reg_vsoftplus(reg_f32x8 x);
reg_f32x8 reg_verf(reg_f32x8 x);
reg_f32x8 reg_verfinv(reg_f32x8 x);
reg_f32x8 reg_vsin(reg_f32x8 x);
reg_f32x8 reg_vcos(reg_f32x8 x);
// Of sin and cos: x = n pi/2 + result for |x| >= 2^48; *quadrant = n mod 4.
reg_f32x8 reg_vreduce_large(reg_f32x8 x, reg_i32x8 *quadrant);
reg_f32x8 reg_vpow(reg_f32x8 x, reg_f32x8 y);

// The four words of Philox4x32-10 for eight counters {counter, 0, stream, step} under one key: out[w] is word
// w of each lane.
void reg_vphilox(reg_u32x8 counter, uint32_t stream, uint32_t step, uint32_t key0, uint32_t key1,
                 reg_u32x8 out[4]);
// The same on processors with AVX-512.
void reg_vphilox512(reg_u32x8 counter, uint32_t stream, uint32_t step, uint32_t key0, uint32_t key1,
                    reg_u32x8 out[4]);
#endif
