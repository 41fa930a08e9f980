// How a process of ours begins and ends, regc and standalone binaries alike.
#include "reg/console.h"
#include "support.h"
#include "text/text.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

// A closed descriptor would go to the next file that is opened, and what is told to people into that file. It
// is opened the other way round instead, so that its use fails as it should.
static void fill_descriptors(void) {
  for (int d = STDIN_FILENO; d <= STDERR_FILENO; d++) {
    if (fcntl(d, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", d == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0 && open("/", O_RDONLY) < 0)
      _exit(REG_CANNOT_WRITE);
  }
}

void reg_process_begin(void) {
  fill_descriptors();
  signal(SIGXFSZ, SIG_IGN); // a file that may not grow is an error of its write
}

int reg_process_end(const char *name, int code) {
  char text[128];
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return code;
  const int error = errno;
  reg_shown_line(stderr, "%s: cannot write to standard output%s%s", name, error ? ": " : "",
                 error ? reg_errno_text(error, text, sizeof text) : "");
  return code ? code : REG_CANNOT_WRITE;
}
