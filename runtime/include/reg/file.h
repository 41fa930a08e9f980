// Whole files in and out.
#ifndef REG_FILE_H
#define REG_FILE_H
#include "status.h"
#include <stddef.h>

// The file's bytes and a 0 behind them, to be freed. NULL and st on failure: REG_MISSING_INPUT with this name
// where it cannot be read; REG_BAD_DATA, `array_bad` for `array_missing`, where it is a device, which may
// have no end; out of memory.
char *reg_file_read(const char *path, size_t *size, const char *name, reg_status *st);
// The same for what may be larger than memory: an array of reg_large_resize, to be freed as such.
char *reg_file_read_large(const char *path, size_t *size, const char *name, reg_status *st);
// The file has the old content or the new one, never a part: written beside it, synced, renamed; a link stays
// a link. What is no regular file (a pipe, a device, standard output) is written to as it is. A file that
// exists keeps its permissions; a new one has `mode`, less the umask. 0, REG_CANNOT_WRITE or out of memory.
int reg_file_write(const char *path, const void *bytes, size_t size, reg_status *st);
int reg_file_write_mode(const char *path, const void *bytes, size_t size, unsigned mode, reg_status *st);
// All of the bytes to an open file: 0, or errno.
int reg_file_put(int file, const void *bytes, size_t size);
// Removes what writers that were killed left in a folder; not what one that lives is writing.
void reg_file_sweep(const char *folder);
int reg_cannot_write(reg_status *st, const char *path, int error);
#endif
