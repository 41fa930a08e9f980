// Whole files in and out.
#ifndef REG_FILE_H
#define REG_FILE_H
#include "reg/status.h"
#include <stddef.h>

// The file's bytes and a 0 behind them, to be freed; NULL and st (REG_MISSING_INPUT, name) on failure.
char *reg_file_read(const char *path, size_t *size, const char *name, reg_status *st);
// The file has the old content or the new one, never a part: written beside it, synced, renamed. 0 or
// REG_CANNOT_WRITE.
int reg_file_write(const char *path, const void *bytes, size_t size, reg_status *st);
int reg_cannot_write(reg_status *st, const char *path, int error);
#endif
