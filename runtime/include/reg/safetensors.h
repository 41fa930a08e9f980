// .safetensors: eight bytes of header size (little endian), a JSON header, raw tensors. Half
// tensors (F16, BF16) are read as floats, integers as doubles.
#ifndef REG_SAFETENSORS_H
#define REG_SAFETENSORS_H
#include "data.h"

typedef struct reg_saved_tensor {
  const char *name;
  reg_dtype dtype; // REG_F32 or REG_F64
  int rank;
  int64_t dim[8], count;
  const void *values;
} reg_saved_tensor;

typedef struct reg_saved {
  int count;
  reg_saved_tensor *tensors; // in the order of their bytes
  void *memory;
} reg_saved;

int reg_safetensors_write(const char *path, int count, const reg_saved_tensor *tensors, reg_status *st);
// Refuses what is not exactly well-formed: sizes, offsets, overlaps, gaps, unknown types, names given twice.
int reg_safetensors_read(const char *path, reg_saved *out, reg_status *st);
const reg_saved_tensor *reg_saved_find(const reg_saved *s, const char *name); // NULL where there is none
void reg_saved_free(reg_saved *s);
#endif
