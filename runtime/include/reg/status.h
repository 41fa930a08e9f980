// Every runtime function that can fail returns a code and, on failure, fills a message. Nothing in the
// runtime prints on its own account or ends the process. Codes are the exit codes of `regc`.
#ifndef REG_STATUS_H
#define REG_STATUS_H
#include <stddef.h>

enum {
  REG_AGAIN = -1, // of a run: it goes on from its checkpoint as a program that is compiled anew; no exit code
  REG_OK = 0,
  REG_DIVERGED = 3,
  REG_ASSERTION = 4,
  REG_BAD_DATA = 65,
  REG_MISSING_INPUT = 66,
  REG_INTERNAL = 70,
  REG_CANNOT_WRITE = 73,
  REG_INTERRUPTED = 130,
  REG_TERMINATED = 143
};

typedef struct reg_status {
  int code;       // REG_OK with a text: a warning, of what was done
  char name[32];  // the diagnostic's name: data_missing, data_bad, target_missing, split_bad, …
  char text[512]; // what and why, with file, line and column where there are any
  char hint[256]; // what to do, or empty
} reg_status;

int reg_fail(reg_status *s, int code, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int reg_no_memory(reg_status *s, size_t bytes);
#endif
