// The runtime's computing half: generator (known answers of the paper's authors), pool, matrix products,
// indexing.
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reg/abi.h"
#include "reg/rng.h"
#include "reg/train.h"

Test(rng, known_answers) {
  uint32_t out[4];
  reg_philox((uint32_t[4]){0, 0, 0, 0}, (uint32_t[2]){0, 0}, out);
  cr_assert(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c && out[3] == 0x9b00dbd8);
  reg_philox((uint32_t[4]){~0u, ~0u, ~0u, ~0u}, (uint32_t[2]){~0u, ~0u}, out);
  cr_assert(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 && out[3] == 0x6d5451fd);
  reg_philox((uint32_t[4]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
             (uint32_t[2]){0xa4093822, 0x299f31d0}, out);
  cr_assert(out[0] == 0xd16cfe09 && out[1] == 0x94fdcceb && out[2] == 0x5001e420 && out[3] == 0x24126ea1);
}

Test(rng, layout_and_range) {
  for (uint64_t e = 0; e < 200; e++) {
    uint32_t out[4], counter[4] = {(uint32_t)(8 * (e / 32) + e % 8), 0, 3, 9}, key[2] = {7, 1};
    reg_philox(counter, key, out);
    cr_assert_eq(reg_random_word(7 | 1ull << 32, 3, 9, e), out[(e / 8) % 4]);
    float u = reg_uniform(7, 3, 9, e);
    cr_assert(u >= 0 && u < 1);
  }
}

Test(rng, permutations_are_uniform_permutations) {
  int first[8] = {0};
  for (uint32_t step = 0; step < 8000; step++) {
    int64_t p[8];
    unsigned seen = 0;
    reg_permutation(5, REG_STREAM_SHUFFLE, step, 8, p);
    for (int i = 0; i < 8; i++) seen |= 1u << p[i];
    cr_assert_eq(seen, 255);
    first[p[0]]++;
  }
  for (int i = 0; i < 8; i++) cr_assert(abs(first[i] - 1000) < 150, "%d", first[i]);
}

static void count_pieces(void *const *slots, int64_t begin, int64_t end) {
  int *count = slots[0];
  for (int64_t i = begin; i < end; i++) count[i]++;
}

static void stress(int threads, int regions) {
  static int count[64];
  void *slots[1] = {count};
  reg_ctx *c = reg_ctx_new(threads);
  memset(count, 0, sizeof count);
  int64_t expected[64] = {0};
  for (int r = 0; r < regions; r++) {
    int64_t pieces = r % 64;
    reg_parallel(c, count_pieces, slots, pieces);
    for (int64_t i = 0; i < pieces; i++) expected[i]++;
    if (r % 500 == 0)
      for (int i = 0; i < 64; i++) cr_assert_eq(count[i], expected[i], "region %d piece %d", r, i);
  }
  reg_ctx_free(c);
}

Test(pool, every_piece_runs_once) {
  stress(1, 2000);
  stress(2, 100000);
  stress(7, 3000); // more threads than processors: nobody spins
}

static void multiply_denormal(void *const *slots, int64_t begin, int64_t end) {
  volatile float tiny = 1e-30f;
  for (int64_t i = begin; i < end; i++) ((float *)slots[0])[i] = tiny * 1e-10f;
}

Test(pool, denormals_are_zero_on_every_thread) {
  float out[8];
  void *slots[1] = {out};
  volatile float tiny = 1e-30f;
  reg_ctx *c = reg_ctx_new(4);
  reg_parallel(c, multiply_denormal, slots, 8);
  reg_ctx_free(c);
  for (int i = 0; i < 8; i++) cr_assert_eq(out[i], 0.0f);
  cr_assert(tiny * 1e-10f > 0, "the caller has its own mode again");
}

static void random_fill(float *x, int64_t n, uint32_t stream) {
  for (int64_t i = 0; i < n; i++) x[i] = reg_uniform(1, stream, 0, (uint64_t)i) - 0.5f;
}

static void check_gemm(reg_ctx *one, reg_ctx *two, int ta, int tb, int64_t m, int64_t n, int64_t k,
                       int64_t batch) {
  float *a = malloc((size_t)(batch * m * k + 1) * 4), *b = malloc((size_t)(k * n + 1) * 4);
  float *c = malloc((size_t)(batch * m * n) * 4), *d = malloc((size_t)(batch * m * n) * 4);
  random_fill(a, batch * m * k, 1);
  random_fill(b, k * n, 2);
  memset(c, 0xff, (size_t)(batch * m * n) * 4);
  reg_gemm(one, ta, tb, m, n, k, batch, a, m * k, b, 0, c, m * n, 0);
  reg_gemm(two, ta, tb, m, n, k, batch, a, m * k, b, 0, d, m * n, 0);
  cr_assert_eq(memcmp(c, d, (size_t)(batch * m * n) * 4), 0,
               "bits differ between 1 and 2 threads: %d%d %ldx%ldx%ld", ta, tb, (long)m, (long)n, (long)k);
  for (int64_t s = 0; s < batch; s++)
    for (int64_t i = 0; i < m; i += m > 64 ? 13 : 1)
      for (int64_t j = 0; j < n; j += n > 64 ? 7 : 1) {
        double sum = 0;
        for (int64_t p = 0; p < k; p++)
          sum += (double)a[s * m * k + (ta ? p * m + i : i * k + p)] * (double)b[tb ? j * k + p : p * n + j];
        cr_assert(fabs(sum - (double)c[(s * m + i) * n + j]) <= 1e-6 * (double)(k + 1),
                  "%d%d %ldx%ldx%ld at %ld,%ld: %g, not %g", ta, tb, (long)m, (long)n, (long)k, (long)i,
                  (long)j, (double)c[(s * m + i) * n + j], sum);
      }
  free(a);
  free(b);
  free(c);
  free(d);
}

Test(gemm, agrees_with_the_definition_on_any_number_of_threads) {
  static const int64_t sizes[][4] = {
      {1, 1, 1, 1},      {1, 7, 5, 1},       {7, 1, 5, 1},       {5, 3, 0, 1},      {3, 4, 5, 6},
      {17, 33, 65, 1},   {128, 512, 78, 1},  {512, 128, 64, 1},  {129, 515, 33, 1}, {1, 4096, 300, 1},
      {4096, 1, 300, 1}, {64, 64, 64, 9},    {300, 300, 800, 1}, {33, 130, 320, 1}, {33, 130, 321, 1},
      {97, 257, 161, 1}, {1000, 64, 288, 1}, {31, 129, 160, 1},  {270, 128, 64, 3}};
  reg_ctx *one = reg_ctx_new(1), *two = reg_ctx_new(2);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int flags = 0; flags < 4; flags++)
      check_gemm(one, two, flags & 1, flags >> 1, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]);
  reg_gemm(one, 0, 0, 0, 4, 4, 1, NULL, 0, NULL, 0, NULL, 0, 0);
  reg_ctx_free(two);
  reg_ctx_free(one);
}

// Whole numbers: every order of a sum gives the same.
Test(gemm, of_doubles) {
  static const int64_t sizes[][3] = {
      {3, 4, 5}, {64, 128, 64}, {97, 257, 161}, {33, 130, 320}, {270, 128, 321}};
  reg_ctx *ctx = reg_ctx_new(2);
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int flags = 0; flags < 4; flags++) {
      const int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
      const bool ta = flags & 1, tb = flags >> 1;
      double *a = calloc((size_t)(m * k), sizeof *a), *b = calloc((size_t)(k * n), sizeof *b);
      double *c = calloc((size_t)(m * n), sizeof *c);
      for (int64_t i = 0; i < m * k; i++) a[i] = (double)(i * 7 % 11 - 5);
      for (int64_t i = 0; i < k * n; i++) b[i] = (double)(i * 5 % 13 - 6);
      reg_gemm(ctx, ta, tb, m, n, k, 1, a, 0, b, 0, c, 0, 1);
      for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
          double sum = 0;
          for (int64_t p = 0; p < k; p++)
            sum += a[ta ? p * m + i : i * k + p] * b[tb ? j * k + p : p * n + j];
          cr_assert_eq(c[i * n + j], sum, "%d %ldx%ldx%ld at %ld,%ld", flags, (long)m, (long)n, (long)k,
                       (long)i, (long)j);
        }
      free(a);
      free(b);
      free(c);
    }
  reg_ctx_free(ctx);
}

Test(indexing, gather_and_scatter) {
  enum { ROWS = 50, WIDTH = 700, COUNT = 300 };
  static float x[ROWS * WIDTH], out[COUNT * WIDTH], back[ROWS * WIDTH], expected[ROWS * WIDTH];
  int32_t index[COUNT];
  reg_ctx *c = reg_ctx_new(3);
  random_fill(x, ROWS * WIDTH, 1);
  for (int i = 0; i < COUNT; i++) index[i] = (i * 37) % (ROWS + 4) - 2; // some lie outside and are clamped
  reg_gather(c, x, index, out, ROWS, WIDTH, COUNT, 4);
  reg_scatter_add(c, index, out, back, ROWS, WIDTH, COUNT, 0);
  for (int i = 0; i < COUNT; i++) {
    int row = index[i] < 0 ? 0 : index[i] >= ROWS ? ROWS - 1 : index[i];
    cr_assert_eq(memcmp(out + i * WIDTH, x + row * WIDTH, WIDTH * 4), 0);
    for (int j = 0; j < WIDTH; j++) expected[row * WIDTH + j] += out[i * WIDTH + j];
  }
  cr_assert_eq(memcmp(back, expected, sizeof back), 0);
  reg_ctx_free(c);
}

Test(indexing, along_the_last_axis) {
  reg_ctx *c = reg_ctx_new(2);
  cr_expect_eq(reg_ctx_threads(c), 2);
  float x[6] = {1, 2, 3, 4, 5, 6}, out[4], back[6];
  reg_take_along(c, x, (int32_t[4]){2, 0, 1, 1}, out, 2, 3, 2, 4);
  cr_assert(out[0] == 3 && out[1] == 1 && out[2] == 5 && out[3] == 5);
  reg_put_along(c, (int32_t[4]){2, 0, 1, 1}, out, back, 2, 2, 3, 0);
  cr_assert(back[0] == 1 && back[1] == 0 && back[2] == 3 && back[3] == 0 && back[4] == 10 && back[5] == 0);
  reg_ctx_free(c);
}

Test(indexing, refused) {
  reg_ctx *c = reg_ctx_new(1);
  reg_status st = {0};
  int32_t out[3];
  cr_assert_eq(reg_index(c, (int32_t[]){0, 2, 1}, out, 3, 3, NULL, REG_INDEX_I32, "a:1:1"), 0);
  cr_assert(out[0] == 0 && out[1] == 2 && out[2] == 1);
  cr_assert_eq(reg_index(c, (int32_t[]){0, 1, 1}, out, 3, 3, (int32_t[]){2}, REG_INDEX_I32, "a:1:1"), 0);
  cr_assert_eq(reg_index(c, (float[]){0, 3, 9}, out, 3, 3, NULL, REG_INDEX_F32, "a:1:1"), 1);
  cr_assert_eq(reg_ctx_fault(c, &st), REG_BAD_DATA);
  cr_assert_str_eq(st.text, "a:1:1: the index 3 is out of range for size 3");
  const double bad[] = {0.25, -0.5, NAN, INFINITY};
  for (int i = 0; i < 4; i++) {
    cr_assert_eq(reg_index(c, &bad[i], out, 1, 3, NULL, REG_INDEX_F64, "b:2:3"), 1);
    reg_ctx_fault(c, &st);
    cr_assert(strstr(st.text, "is no whole number"), "%s", st.text);
  }
  reg_ctx_free(c);
}

Test(indexing, argsort_is_stable_with_nan_last) {
  enum { N = 1000 };
  float x[N];
  int32_t order[N];
  reg_ctx *c = reg_ctx_new(2);
  for (int i = 0; i < N; i++) x[i] = i % 97 == 0 ? NAN : (float)((i * 31) % 50);
  reg_argsort(c, x, order, 1, N, 0);
  for (int i = 1; i < N; i++) {
    float a = x[order[i - 1]], b = x[order[i]];
    cr_assert(isnan(b) ? !isnan(a) || order[i - 1] < order[i] : a < b || (a == b && order[i - 1] < order[i]),
              "%d", i);
  }
  reg_ctx_free(c);
}

Test(indexing, prefix_sums) {
  float x[2 * 3 * 20], out[120];
  reg_ctx *c = reg_ctx_new(2);
  for (int i = 0; i < 120; i++) x[i] = (float)i;
  for (int reverse = 0; reverse < 2; reverse++) {
    reg_cumsum(c, x, out, 2, 3, 20, reverse, 0);
    for (int o = 0; o < 2; o++)
      for (int i = 0; i < 3; i++)
        for (int j = 0; j < 20; j++) {
          float sum = 0;
          for (int s = reverse ? i : 0; s <= (reverse ? 2 : i); s++) sum += x[o * 60 + s * 20 + j];
          cr_assert_eq(out[o * 60 + i * 20 + j], sum);
        }
  }
  reg_ctx_free(c);
}
