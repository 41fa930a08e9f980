// The line editor, on libedit: prompts, history, Ctrl-C, Tab. History is a file of the user's state folder,
// one whole entry at a time, written as entries are made.
#include "repl.h"
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

enum { MOST_HISTORY = 2000 };

struct ReplLine {
  Repl *repl;
  EditLine *edit;
  History *history;
  char *file;         // of the history; NULL: none
  const char *before; // lines of this entry so far
};

static volatile sig_atomic_t cancelled, resized;
static int wake[2] = {
    -1, -1}; // a pipe: any thread may be given a signal, the one that waits for a line must hear of it

static void wake_up(void) {
  int error = errno;
  if (write(wake[1], "", 1) < 0) errno = 0; // full: it will wake up anyway
  errno = error;
}

static void on_interrupt(int number) {
  (void)number;
  cancelled = 1;
  wake_up();
}

static void on_resize(int number) {
  (void)number;
  resized = 1;
  wake_up();
}

static ReplLine *of(EditLine *e) {
  void *l = NULL;
  el_get(e, EL_CLIENTDATA, &l);
  return l;
}

// The escape character brackets what takes no room on the screen.
static char *prompt(EditLine *e) {
  static char first[] = "\001\033[1;32m\001reg> \001\033[0m\001",
              more[] = "\001\033[32m\001...> \001\033[0m\001";
  static char plain_first[] = "reg> ", plain_more[] = "...> ";
  ReplLine *l = of(e);
  bool color = l->repl->options.out.color;
  return *l->before ? (color ? more : plain_more) : (color ? first : plain_first);
}

// One character from the terminal; ends the line where Ctrl-C came.
static int read_character(EditLine *e, wchar_t *out) {
  mbstate_t state = {0};
  for (;;) {
    struct pollfd in[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = wake[0], .events = POLLIN}};
    if (!cancelled && poll(in, 2, -1) < 0 && errno != EINTR) return -1;
    char drained[16];
    while (read(wake[0], drained, sizeof drained) > 0) {
    }
    if (cancelled) return -1;
    if (resized) {
      resized = 0;
      el_resize(e);
    }
    if (!(in[0].revents & (POLLIN | POLLHUP | POLLERR))) continue;
    unsigned char byte;
    ssize_t n = read(STDIN_FILENO, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return (int)n;
    size_t used = mbrtowc(out, (const char *)&byte, 1, &state);
    if (used == (size_t)-2) continue;
    if (used == (size_t)-1) *out = L'?';
    return 1;
  }
}

// -- Tab

static void list_candidates(const Candidates *c) {
  const reg_terminal t = reg_terminal_of(stdout, NULL);
  int longest = 0;
  for (int i = 0; i < c->list.len; i++) {
    int n = (int)strlen(c->list.data[i]);
    longest = n > longest ? n : longest;
  }
  int columns = t.width / (longest + 2);
  if (columns < 1) columns = 1;
  int rows = (c->list.len + columns - 1) / columns;
  putchar('\n');
  for (int r = 0; r < rows; r++) {
    for (int k = r; k < c->list.len; k += rows)
      printf(k + rows < c->list.len ? "%-*s" : "%.0d%s", k + rows < c->list.len ? longest + 2 : 0,
             c->list.data[k]);
    putchar('\n');
  }
  fflush(stdout);
}

static int common_length(const Candidates *c) {
  int n = (int)strlen(c->list.data[0]);
  for (int i = 1; i < c->list.len; i++) {
    int k = 0;
    while (k < n && c->list.data[i][k] == c->list.data[0][k]) k++;
    n = k;
  }
  return n;
}

static unsigned char complete(EditLine *e, int ch) {
  (void)ch;
  ReplLine *l = of(e);
  const LineInfo *line = el_line(e);
  Arena *a = arena_new();
  StrBuf b = {.arena = a};
  strbuf_add(&b, l->before);
  if (*l->before) strbuf_add(&b, "\n");
  strbuf_addn(&b, line->buffer, (size_t)(line->cursor - line->buffer));
  Candidates c = {.arena = a};
  complete_text(l->repl, &c, b.data);
  unsigned char result = CC_ERROR;
  if (c.list.len) {
    int typed = b.len - c.start, common = common_length(&c);
    const char *more =
        arena_strndup(a, c.list.data[0] + typed, common > typed ? (size_t)(common - typed) : 0);
    const bool whole = c.list.len == 1 && c.commands && *command_completes(c.list.data[0]);
    if (whole) more = arena_printf(a, "%s ", more); // its argument follows
    if (*more && el_insertstr(e, more) == 0) result = CC_REFRESH;
    if (c.list.len > 1 && !*more) {
      list_candidates(&c);
      result = CC_REDISPLAY;
    }
  }
  arena_free(a);
  return result;
}

// -- history

static char *history_file(void) {
  Arena *a = arena_new();
  const char *folder = user_folder(a, "XDG_STATE_HOME", ".local/state");
  char *path = folder ? strdup(arena_printf(a, "%s/history", folder)) : NULL;
  arena_free(a);
  return path;
}

static void load_history(ReplLine *l) {
  HistEvent ev;
  history(l->history, &ev, H_SETSIZE, MOST_HISTORY);
  history(l->history, &ev, H_SETUNIQUE, 1);
  l->file = history_file();
  if (!l->file) return;
  history(l->history, &ev, H_LOAD, l->file);
  // Rewritten once in a while, so that the file does not grow for ever.
  struct stat st;
  if (stat(l->file, &st) == 0 && st.st_size > (off_t)1 << 20) history(l->history, &ev, H_SAVE, l->file);
}

// An entry as libedit reads it back: what is no plain character as its octal number.
static void write_entry(FILE *f, const char *entry) {
  struct stat st;
  if (fstat(fileno(f), &st) == 0 && st.st_size == 0) fputs("_HiStOrY_V2_\n", f);
  for (const char *c = entry; *c; c++) {
    bool plain = *c > 0x20 && *c < 0x7F && *c != '\\';
    fprintf(f, plain ? "%c" : "\\%03o", (unsigned char)*c);
  }
  fputc('\n', f);
}

void line_remember(ReplLine *l, const char *entry) {
  HistEvent ev;
  history(l->history, &ev, H_ENTER, entry);
  if (!l->file) return;
  int fd = open(l->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "a");
  if (f) {
    fchmod(fd, 0600);
    write_entry(f, entry);
    fclose(f);
  } else if (fd >= 0) {
    close(fd);
  }
}

// -- lines

ReplLine *line_new(Repl *r) {
  ReplLine *l = calloc(1, sizeof *l);
  if (!l) ice("repl", "out of memory");
  *l = (ReplLine){.repl = r, .before = ""};
  if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) ice("repl", "no pipe");
  l->edit = el_init("regc", stdin, stdout, stderr);
  l->history = history_init();
  if (!l->edit || !l->history) ice("repl", "cannot start the line editor");
  el_set(l->edit, EL_CLIENTDATA, l);
  el_set(l->edit, EL_PROMPT_ESC, prompt, '\001');
  el_set(l->edit, EL_EDITOR, "emacs");
  el_set(l->edit, EL_GETCFN, read_character);
  el_set(l->edit, EL_HIST, history, l->history);
  el_wset(l->edit, EL_ADDFN, L"regc-complete", L"complete a word", complete);
  el_set(l->edit, EL_BIND, "^I", "regc-complete", NULL);
  el_set(l->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_source(l->edit, NULL); // ~/.editrc, where there is one
  load_history(l);
  return l;
}

void line_free(ReplLine *l) {
  el_end(l->edit);
  history_end(l->history);
  reg_signals_install();
  signal(SIGWINCH, SIG_DFL);
  close(wake[0]);
  close(wake[1]);
  free(l->file);
  free(l);
}

bool line_pending(void) {
  int n = 0;
  return ioctl(STDIN_FILENO, FIONREAD, &n) == 0 && n > 0;
}

void line_arm(void) {
  struct sigaction interrupt = {.sa_handler = on_interrupt}, resize = {.sa_handler = on_resize};
  sigemptyset(&interrupt.sa_mask);
  sigemptyset(&resize.sa_mask);
  cancelled = 0;
  sigaction(SIGINT, &interrupt, NULL);
  sigaction(SIGWINCH, &resize, NULL);
}

void line_disarm(void) { reg_signals_install(); }

char *line_read(ReplLine *l, Arena *a, const char *before, bool *was_cancelled) {
  l->before = before;
  int n = 0;
  el_set(l->edit, EL_PREP_TERM,
         1); // before the prompt: what is typed once it is seen finds the terminal ready
  const char *line = el_gets(l->edit, &n);
  *was_cancelled = cancelled;
  l->before = "";
  if (cancelled || !line || n <= 0) {
    cancelled = 0;
    putchar('\n');
    fflush(stdout);
    return NULL;
  }
  while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
  return arena_strndup(a, line, (size_t)n);
}
