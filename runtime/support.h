// What the rooms of the runtime share: allocation, time, error texts, numbers in the C locale.
#ifndef REG_SUPPORT_H
#define REG_SUPPORT_H
#include "reg/status.h"
#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void reg_hint(reg_status *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *reg_errno_text(int error, char *buffer, size_t size);

// Memory that is freed together. Blocks are zeroed, start at a multiple of 64 bytes and are padded to one, so
// a vector load that begins inside a block may run past its last element.
typedef struct Heap {
  void **blocks;
  size_t count, room;
  void *large; // a list of files
} Heap;

void *reg_heap_take(Heap *h, size_t bytes); // NULL: out of memory
// The same for what grows with the rows of a table: may be larger than memory, see large.h.
void *reg_heap_take_large(Heap *h, size_t bytes);
char *reg_heap_copy(Heap *h, const char *text, size_t length);
void reg_heap_free(Heap *h);

double reg_now(void);     // seconds, monotonic
int reg_processors(void); // that this process may run on
// For qsort and bsearch: texts, by their bytes.
int reg_by_bytes(const void *a, const void *b);

// Set by tests: products with windows take the tiles of processors without AVX-512 on all.
extern bool reg_window_narrow;

// How many threads may multiply matrices at once, of those wanted; 0: no memory. Each does so on its own.
int reg_blas_threads(int wanted);
// Whether small products have kernels of their own here; asked behind the first reg_blas_threads.
bool reg_blas_has_small_kernels(void);

// Numbers are written and read with a point, whatever the process's locale says: between enter and leave, in
// this thread.
typedef struct NumberLocale {
  locale_t before, c;
} NumberLocale;

NumberLocale reg_numbers_enter(void);
void reg_numbers_leave(NumberLocale n);

// IEEE binary16: every value of it is a float.
float reg_from_half(uint16_t bits);

#define REG_FNV_START UINT64_C(0xcbf29ce484222325)
#define REG_FNV_PRIME UINT64_C(0x100000001b3)
uint64_t reg_fnv1a(const void *bytes, size_t count);
void reg_checksum(const void *bytes, size_t count, char hex[17]);
#endif
