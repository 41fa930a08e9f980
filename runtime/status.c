// In: what went wrong. Out: a filled status. The system's error texts come through strerror_r: no shared
// buffer.
#include "large.h"
#include "support.h"
#include "text/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int reg_fail(reg_status *s, int code, const char *name, const char *fmt, ...) {
  va_list args;
  if (!s) return code;
  s->code = code;
  snprintf(s->name, sizeof s->name, "%s", name);
  va_start(args, fmt);
  vsnprintf(s->text, sizeof s->text, fmt, args);
  va_end(args);
  reg_shown_in_place(s->text); // names come from files of others; a cut may have left half a character
  s->hint[0] = 0;
  return code;
}

void reg_hint(reg_status *s, const char *fmt, ...) {
  va_list args;
  if (!s) return;
  va_start(args, fmt);
  vsnprintf(s->hint, sizeof s->hint, fmt, args);
  va_end(args);
  reg_shown_in_place(s->hint);
}

const char *reg_errno_text(int error, char *buffer, size_t size) {
  return strerror_r(error, buffer, size); // the GNU one: may answer with a constant instead of the buffer
}

int reg_no_memory(reg_status *s, size_t bytes) {
  if (bytes)
    reg_fail(s, REG_INTERNAL, "out_of_memory", "cannot allocate %zu bytes", bytes);
  else
    reg_fail(s, REG_INTERNAL, "out_of_memory", "out of memory");
  if (reg_large_lacks_disk())
    reg_hint(s, "nor has the disk room for it: TMPDIR may name a folder that has more");
  else
    reg_hint(s, "a smaller batch, model or data set needs less memory");
  return REG_INTERNAL;
}
