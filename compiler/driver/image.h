// The memory of a program as data: structures and arrays laid out one after the other, with the places where
// addresses go. For objects that are linked instead of run in this process.
#ifndef DRIVER_IMAGE_H
#define DRIVER_IMAGE_H
#include "../backend/backend.h"

typedef struct Image {
  Arena *arena;
  StrBuf bytes;
  VEC(Fixup) fixups;
} Image;

// A copy of `size` bytes, its place a multiple of 64 and padded to one; its offset.
int64_t image_put(Image *m, const void *from, size_t size);
int64_t image_text(Image *m, const char *text); // -1 for NULL
// The pointer at offset `at` shall point to offset `target`, or be NULL for -1.
void image_pointer(Image *m, int64_t at, int64_t target);
void image_symbol(Image *m, int64_t at, const char *symbol);
// All of it under one name; the image is whole now.
DataImage image_finish(Image *m, const char *symbol);
#endif
