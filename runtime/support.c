// The helpers of support.h: none keeps state of its own.
#include "support.h"
#include "large.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void *reg_heap_take(Heap *h, size_t bytes) {
  if (h->count == h->room) {
    size_t room = h->room ? 2 * h->room : 32;
    void **grown = realloc(h->blocks, room * sizeof *grown);
    if (!grown) return NULL;
    h->blocks = grown;
    h->room = room;
  }
  if (bytes > SIZE_MAX - 4096) return NULL;
  // Large blocks are not equally far into their pages: where one is read and another one written, the
  // processor would wait for stores that have nothing to do with its loads.
  const size_t apart = bytes < 16384 ? 0 : h->count % 16 * 192, padded = (bytes / 64 + 1) * 64 + apart;
  char *block = aligned_alloc(64, padded);
  if (!block) return NULL;
  memset(block, 0, padded);
  h->blocks[h->count++] = block;
  return block + apart;
}

void *reg_heap_take_large(Heap *h, size_t bytes) {
  const size_t padded = bytes > SIZE_MAX - 4096 ? bytes : (bytes / 64 + 1) * 64;
  void *large = reg_large_is_file(bytes) ? reg_large_add(&h->large, padded) : NULL;
  return large || bytes / 16 >= reg_large_least() ? large : reg_heap_take(h, bytes); // all of memory
}

char *reg_heap_copy(Heap *h, const char *text, size_t length) {
  char *copy = reg_heap_take(h, length + 1);
  if (copy) memcpy(copy, text, length);
  return copy;
}

void reg_heap_free(Heap *h) {
  for (size_t i = 0; i < h->count; i++) free(h->blocks[i]);
  free(h->blocks);
  reg_large_free_list(h->large);
  *h = (Heap){0};
}

double reg_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

NumberLocale reg_numbers_enter(void) {
  NumberLocale n;
  n.before = uselocale((locale_t)0);
  locale_t copy = duplocale(n.before);
  n.c = copy ? newlocale(LC_NUMERIC_MASK, "C", copy) : (locale_t)0;
  if (n.c) uselocale(n.c);
  return n;
}

void reg_numbers_leave(NumberLocale n) {
  uselocale(n.before);
  if (n.c) freelocale(n.c);
}

// Fowler, Noll and Vo's hash 1a, 64 bits.
uint64_t reg_fnv1a(const void *bytes, size_t count) {
  const unsigned char *p = bytes;
  uint64_t hash = REG_FNV_START;
  for (size_t i = 0; i < count; i++) hash = (hash ^ p[i]) * REG_FNV_PRIME;
  return hash;
}

void reg_checksum(const void *bytes, size_t count, char hex[17]) {
  snprintf(hex, 17, "%016llx", (unsigned long long)reg_fnv1a(bytes, count));
}

int reg_by_bytes(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// 5 bits of exponent, 10 of fraction.
float reg_from_half(uint16_t bits) {
  const uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 0x1f,
                 fraction = bits & 0x3ff;
  const float small = (float)fraction * 0x1p-24f;
  if (!exponent) return sign ? -small : small;
  const uint32_t single = sign | (exponent == 0x1f ? 0xff : exponent + 112) << 23 | fraction << 13;
  float value;
  memcpy(&value, &single, sizeof value);
  return value;
}
