// regc repl: entries are read, one line or several, and done at once. In: a terminal, or any text on standard
// input. Out: values on standard output, everything else on standard error. A mistake ends an entry, never
// the session.
#include "../base/words.h"
#include "../syntax/tokens.h"
#include "repl/repl.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// -- reading

// One line of standard input where it is no terminal.
static char *plain_line(Arena *a) {
  char *line = NULL;
  size_t room = 0;
  ssize_t n = getline(&line, &room, stdin);
  char *out = n < 0 ? NULL : arena_strndup(a, line, (size_t)n - (n > 0 && line[n - 1] == '\n'));
  free(line);
  return out;
}

typedef struct Reader {
  Repl *repl;
  Arena *arena;
  char *ahead; // a line that was read to see whether the entry goes on; outlives one entry
} Reader;

static char *next_line(Reader *rd, const char *before, bool *cancelled) {
  *cancelled = false;
  if (rd->ahead) {
    char *line = arena_strdup(rd->arena, rd->ahead);
    free(rd->ahead);
    rd->ahead = NULL;
    return line;
  }
  Repl *r = rd->repl;
  return r->line ? line_read(r->line, rd->arena, before, cancelled) : plain_line(rd->arena);
}

static bool blank(const char *text) { return text[strspn(text, " \t\r\n")] == '\0'; }

// Does a line go on with what stands before it?
static bool continues(const char *line) {
  line += strspn(line, " \t");
  return !strncmp(line, "|>", 2) || (!strncmp(line, "then", 4) && strchr(" \t", line[4])) ||
         (!strncmp(line, "else", 4) && strchr(" \t", line[4]));
}

typedef enum Form { FORM_NOTHING, FORM_ITEMS, FORM_EXPRESSION, FORM_WRONG_ITEMS, FORM_WRONG_EXPRESSION } Form;

static bool starts_item(const char *text) {
  text += strspn(text, " \t\r\n");
  const size_t n = strcspn(text, " \t\r\n([{=");
  bool item;
  const char *keyword;
  for (int i = 0; (keyword = keyword_text(i, &item)); i++)
    if (item && strlen(keyword) == n && !strncmp(keyword, text, n)) return true;
  return false;
}

// What an entry is, and how far it is: an item or an expression, whichever it is or can become.
static ParseExtent extent_of(const char *text, Form *form) {
  int items, len = (int)strlen(text);
  ParseExtent file = parse_extent(text, len, PARSE_FILE, &items);
  const bool none = file == PARSE_WHOLE && items == 0; // or an expression alone, which is shown
  if (none && parse_extent(text, len, PARSE_EXPRESSION, NULL) == PARSE_WHOLE) {
    *form = FORM_EXPRESSION;
    return PARSE_WHOLE;
  }
  if (none) {
    *form = FORM_NOTHING;
    text += strspn(text, " \t\r\n");
    return strncmp(text, "##", 2) ? PARSE_WHOLE : PARSE_OPEN_LINE; // documentation waits for its definition
  }
  *form = FORM_ITEMS;
  if (file == PARSE_WHOLE) return file;
  ParseExtent expression = parse_extent(text, len, PARSE_EXPRESSION, NULL);
  if (expression == PARSE_WHOLE) {
    *form = FORM_EXPRESSION;
    return expression;
  }
  if (file != PARSE_WRONG) return file;
  if (expression != PARSE_WRONG) {
    *form = FORM_WRONG_EXPRESSION;
    return expression;
  }
  *form = starts_item(text) ? FORM_WRONG_ITEMS : FORM_WRONG_EXPRESSION;
  return PARSE_WRONG;
}

static bool is_command(const char *text) { return text[strspn(text, " \t")] == ':'; }

// A further line that is there already and goes on with a whole entry belongs to it.
static bool takes_more(Reader *rd) {
  bool cancelled;
  Repl *r = rd->repl;
  if (r->line && !line_pending()) return false;
  char *line = next_line(rd, "", &cancelled);
  if (!line) return false;
  rd->ahead = strdup(line);
  return continues(line);
}

// The next entry, "" after Ctrl-C; NULL at the end of input.
static char *read_entry(Reader *rd, Form *form) {
  StrBuf b = {.arena = rd->arena};
  strbuf_add(&b, "");
  for (;;) {
    bool cancelled;
    char *line = next_line(rd, b.data, &cancelled);
    if (cancelled) return arena_strdup(rd->arena, "");
    if (!line) return b.len ? b.data : NULL;
    bool ended = b.len && blank(line);
    if (b.len) strbuf_add(&b, "\n");
    strbuf_add(&b, line);
    if (is_command(b.data)) return b.data;
    ParseExtent extent = extent_of(b.data, form);
    if (extent == PARSE_OPEN_BRACKET || (extent == PARSE_OPEN_LINE && !ended)) continue;
    if (ended || blank(b.data) || extent == PARSE_WRONG || !takes_more(rd)) return b.data;
  }
}

// -- doing

// `train` or `train NAME` alone goes on with a training that is kept: the one that was stopped, else the
// last.
static bool names_kept_training(const char *text, char name[128]) {
  return sscanf(text, " train %127[A-Za-z0-9_] %c", name, &(char){0}) == 1 ||
         (sscanf(text, " %127s %c", name, &(char){0}) == 1 && !strcmp(name, "train") && (*name = 0, true));
}

// `exit`, `help()`, `load x.reg`: commands as other prompts have them.
static bool foreign_command(const Repl *r, const char *text, Form form) {
  char name[32];
  int n = 0;
  if (sscanf(text, " %31[a-z]%n", name, &n) != 1 || item_find(r, AST_DEF, name) || repl_binds(r, name))
    return false;
  const char *rest = text + n;
  const bool alone = blank(rest + (strncmp(rest, "()", 2) ? 0 : 2));
  const bool wrong = form == FORM_WRONG_ITEMS || form == FORM_WRONG_EXPRESSION;
  const Word *word = alone || wrong ? word_find(name, WORD_PROMPT, NULL, 0) : NULL;
  if (word) fprintf(stderr, "`%s` is written `%s` here\n", name, word->here);
  return word != NULL;
}

// A procedure is called for what it does.
static bool calls_procedure(const Repl *r, const char *text) {
  Session *s = session_new();
  const Ast *e = parse_expression(s, source_add(&s->sources, "", text, (int)strlen(text)));
  const char *name = e && e->kind == AST_CALL && e->kids[0]->kind == AST_NAME ? e->kids[0]->name : NULL;
  const ReplItem *own = name ? item_find(r, AST_DEF, name) : NULL;
  Program none = {.session = s};
  map_init(&none.defs, s->arena);
  map_init(&none.library, s->arena);
  const Def *d = name && !own ? sema_library(&none, name) : NULL;
  const bool found = (own && own->op == KIND_PROCEDURE) || (d && d->kind == KIND_PROCEDURE);
  session_free(s);
  return found;
}

static bool do_entry(Repl *r, const char *text, Form form) {
  char name[128];
  if (is_command(text)) return repl_command(r, strchr(text, ':') + 1);
  if (names_kept_training(text, name)) {
    const ReplWeights *latest = repl_weights_latest(r);
    if (!*name && latest && !latest->finished) snprintf(name, sizeof name, "%s", latest->train);
    for (int i = r->items.len - 1; i >= 0; i--) {
      const ReplItem *item = &r->items.data[i];
      if (item->kind == AST_TRAIN && (!*name || !strcmp(item->name, name))) return repl_act(r, item);
    }
  }
  if (foreign_command(r, text, form)) return false;
  const bool expression = form == FORM_EXPRESSION || form == FORM_WRONG_EXPRESSION;
  if (expression && !calls_procedure(r, text)) return repl_show_value(r, text);
  Arena *a = arena_new();
  bool ok = repl_items(r, arena_printf(a, "[%d]", r->entries), text, (int)strlen(text), false);
  arena_free(a);
  return ok;
}

static void loop(Repl *r) {
  Reader rd = {.repl = r};
  char *last = NULL; // what a line that starts with `|>` goes on with
  while (!r->over) {
    Form form = FORM_NOTHING;
    rd.arena = arena_new();
    char *text = read_entry(&rd, &form);
    r->over = !text;
    if (text && !blank(text)) {
      if (last && continues(text) && form == FORM_WRONG_EXPRESSION) {
        text = arena_printf(rd.arena, "%s\n%s", last, text);
        extent_of(text, &form);
      }
      r->entries++;
      r->options.out =
          reg_terminal_of(stdout, r->options.value[OPT_COLOR]); // the window may have another size now
      r->options.err = reg_terminal_of(stderr, r->options.value[OPT_COLOR]);
      line_disarm(); // Ctrl-C ends a training, not the session
      if (r->line) line_remember(r->line, text);
      if (form != FORM_NOTHING || is_command(text)) r->failed |= !do_entry(r, text, form);
      fflush(stdout);
      if (r->line) line_arm();
      if (!is_command(text)) {
        free(last);
        last = strdup(text);
      }
    }
    arena_free(rd.arena);
  }
  free(last);
  free(rd.ahead);
}

static void greet(const Repl *r) {
  if (r->options.given[OPT_QUIET]) return;
  reg_shown_line(stderr, "regc %s; `:help` lists the commands, Tab completes, Ctrl-D ends", REG_VERSION);
  int statements = 0;
  for (int i = 0; i < r->items.len; i++) statements += r->items.data[i].kind != AST_DEF;
  if (r->items.len)
    reg_shown_line(stderr,
                   "%s: %d definitions; statements not run yet: %d (`:list` shows them, `:run` runs them)",
                   r->options.arguments.data[0], r->items.len - statements, statements);
}

int cmd_repl(Session *s, const Options *o) {
  if (o->arguments.len > 1) return usage_error("`regc repl` takes at most one file");
  Repl r = {.arena = s->arena, .options = *o, .fresh = -1, .tty = isatty(STDIN_FILENO)};
  int code = EXIT_OK;
  if (o->arguments.len && !repl_load_file(&r, o->arguments.data[0])) code = EXIT_REJECTED;
  if (!code || r.tty) {
    if (r.tty) {
      greet(&r);
      r.line = line_new(&r);
      reg_signals_stay("\nstill at it; Ctrl-\\ ends the session, and its weights are lost\n");
      line_arm();
    }
    loop(&r);
    if (r.line) line_free(r.line);
    if (r.failed && !r.tty) code = EXIT_REJECTED;
    if (r.tty) code = EXIT_OK;
  }
  repl_reset(&r, true);
  if (r.items_arena) arena_free(r.items_arena);
  repl_free_data(&r);
  return code;
}
