// Files that are damaged at random: what the targets for weights, pictures and arrays share.
#ifndef FUZZ_DAMAGE_H
#define FUZZ_DAMAGE_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 16 };

static uint64_t state;
static inline uint64_t draw(void) { // splitmix64
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}
static inline size_t below(size_t n) { return n ? (size_t)(draw() % n) : 0; }

typedef struct File {
  unsigned char bytes[ROOM];
  size_t size;
} File;

static inline void add(File *f, const void *bytes, size_t size) {
  if ((!bytes && size) || size > ROOM - f->size) exit(2);
  if (size) memcpy(f->bytes + f->size, bytes, size);
  f->size += size;
}

// Replaces `removed` bytes at `at` by others.
static inline void splice(File *f, size_t at, size_t removed, const void *bytes, size_t length) {
  if (at > f->size) return;
  if (removed > f->size - at) removed = f->size - at;
  if (f->size - removed + length > ROOM) return;
  memmove(f->bytes + at + length, f->bytes + at + removed, f->size - at - removed);
  if (length) memcpy(f->bytes + at, bytes, length);
  f->size += length - removed;
}

// Bytes, bits, sizes, pieces that are lost or there twice, the end. `head`: how far sizes stand.
static inline void damage(File *f, size_t head) {
  unsigned char piece[256];
  const size_t at = below(f->size), length = below(sizeof piece);
  static const unsigned char numbers[] = {0, 1, 2, 0x7f, 0x80, 0xff};
  if (!f->size) return;
  switch (below(8)) {
  case 0: f->size = at; break;
  case 1: f->bytes[at] = (unsigned char)draw(); break;
  case 2: f->bytes[at] ^= (unsigned char)(1u << below(8)); break;
  case 3: f->bytes[below(f->size < head ? f->size : head)] = numbers[below(sizeof numbers)]; break;
  case 4: splice(f, at, length, piece, 0); break;
  case 5:
    if (at + length > f->size) break;
    memcpy(piece, f->bytes + at, length);
    splice(f, below(f->size), below(2) ? length : 0, piece, length);
    break;
  case 6:
    for (size_t k = 0; k < 4 && at + k < f->size; k++) f->bytes[at + k] = numbers[below(sizeof numbers)];
    break;
  default:
    for (size_t i = 1 + below(32); i > 0 && f->size < ROOM; i--) f->bytes[f->size++] = (unsigned char)draw();
  }
}
#endif
