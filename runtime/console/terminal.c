// The terminal. In: a stream and the environment. Out: whether colour, live lines and
// characters beyond ASCII fit it. An explicit --color wins over CLICOLOR_FORCE, that over NO_COLOR and
// TERM=dumb (no-color.org, bixense.com/clicolors).
#include "reg/console.h"
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool set(const char *variable) {
  const char *v = getenv(variable);
  return v && *v;
}

static bool wants_color(bool is_terminal, bool dumb, const char *color) {
  if (color && !strcmp(color, "always")) return true;
  if (color && !strcmp(color, "never")) return false;
  if (set("CLICOLOR_FORCE") && strcmp(getenv("CLICOLOR_FORCE"), "0") != 0) return true;
  return is_terminal && !dumb && !set("NO_COLOR");
}

reg_terminal reg_terminal_of(FILE *f, const char *color) {
  reg_terminal t = {.width = 80, .height = 24};
  int fd = fileno(f);
  bool is_terminal = isatty(fd);
  const char *term = getenv("TERM");
  bool dumb = !term || !strcmp(term, "dumb");
  struct winsize w;
  if (is_terminal && ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 && w.ws_row > 0)
    t.width = w.ws_col, t.height = w.ws_row;
  t.live = is_terminal && !dumb;
  t.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
  t.color = wants_color(is_terminal, dumb, color);
  return t;
}
