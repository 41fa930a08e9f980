// regc runs: what the runs of a folder were, and what came out of them.
#include "reg/file.h"
#include "runs_store.h"
#include "text/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

typedef struct Runs {
  Arena *a;
  const Options *o;
  const char *folder;
  sqlite3 *db;
} Runs;

static const char *column(sqlite3_stmt *s, int i) {
  const char *text = (const char *)sqlite3_column_text(s, i);
  return text ? text : "";
}

// Numbers to seven digits, as people read them; others as they are.
static const char *shown(Arena *a, sqlite3_stmt *s, int i) {
  if (sqlite3_column_type(s, i) == SQLITE_FLOAT) return arena_printf(a, "%.7g", sqlite3_column_double(s, i));
  return arena_strdup(a, column(s, i));
}

// -- terms: `outcome=finished`, `net.loss<0.1`, `program~digits`

typedef struct Term {
  const char *name, *sign, *value;
} Term;
typedef VEC(Term) Terms;

static bool term_of(Arena *a, const char *text, Term *out) {
  static const char *const signs[] = {"!=", "<=", ">=", "=", "<", ">", "~"};
  const size_t n = strcspn(text, "!=<>~");
  for (int i = 0; i < 7 && n && text[n]; i++)
    if (!strncmp(text + n, signs[i], strlen(signs[i]))) {
      *out = (Term){arena_strndup(a, text, n), signs[i], text + n + strlen(signs[i])};
      return true;
    }
  return false;
}

// Runs for which all terms hold, the first one to end first: their names.
static sqlite3_stmt *chosen(const Runs *r, const Terms *terms) {
  StrBuf sql = {.arena = r->a};
  strbuf_add(&sql, "SELECT name FROM runs WHERE 1");
  for (int i = 0; i < terms->len; i++) {
    const bool has = !strcmp(terms->data[i].sign, "~");
    strbuf_addf(&sql, " AND EXISTS (SELECT 1 FROM every f WHERE f.run = runs.name AND f.name = ?%d AND ",
                2 * i + 1);
    if (has)
      strbuf_addf(&sql, "instr(f.value, ?%d))", 2 * i + 2);
    else
      strbuf_addf(&sql, "f.value %s ?%d)", terms->data[i].sign, 2 * i + 2);
  }
  strbuf_add(&sql, " ORDER BY stamp, name");
  sqlite3_stmt *s = runs_query(r->db, sql.data, NULL, 0);
  for (int i = 0; s && i < terms->len; i++) {
    const Term *t = &terms->data[i];
    char *end;
    const double number = strtod(t->value, &end);
    sqlite3_bind_text(s, 2 * i + 1, t->name, -1, SQLITE_STATIC);
    if (*t->value && !*end)
      sqlite3_bind_double(s, 2 * i + 2, number);
    else
      sqlite3_bind_text(s, 2 * i + 2, t->value, -1, SQLITE_STATIC);
  }
  return s;
}

typedef VEC(const char *) Names;

static Names names_of(const Runs *r, sqlite3_stmt *s) {
  Names out = {0};
  while (s && sqlite3_step(s) == SQLITE_ROW) vec_push(r->a, out, arena_strdup(r->a, column(s, 0)));
  sqlite3_finalize(s);
  return out;
}

// The arguments behind the first are terms: false after a mistake.
static bool take_terms(const Runs *r, Terms *out) {
  for (int i = 1; i < r->o->arguments.len; i++) {
    Term t;
    if (!term_of(r->a, r->o->arguments.data[i], &t)) {
      usage_error("`%s` is no condition such as outcome=finished, net.loss<0.1 or program~digits",
                  r->o->arguments.data[i]);
      return false;
    }
    vec_push(r->a, *out, t);
  }
  return true;
}

// -- values

// "" where the run has none of this name.
static const char *value_of(const Runs *r, const char *run, const char *name) {
  const char *texts[] = {run, name}, *out = "";
  sqlite3_stmt *s = runs_query(r->db, "SELECT value FROM every WHERE run = ?1 AND name = ?2", texts, 2);
  if (s && sqlite3_step(s) == SQLITE_ROW) out = shown(r->a, s, 0);
  sqlite3_finalize(s);
  return out;
}

// Names of what the runs have, their own first, then what run.json says, then what was measured.
static Names fields_of(const Runs *r, const Names *runs) {
  StrBuf sql = {.arena = r->a};
  strbuf_add(&sql, "SELECT name FROM every WHERE run IN (");
  for (int i = 0; i < runs->len; i++) strbuf_addf(&sql, i ? ", ?%d" : "?%d", i + 1);
  strbuf_add(&sql, ") GROUP BY name ORDER BY min(measured), name");
  return names_of(r, runs_query(r->db, sql.data, runs->data, runs->len));
}

static void pad(const char *text, int width) {
  reg_shown(stdout, text);
  printf("%*s", width - reg_shown_width(text), "");
}

// A table; each column as wide as what is in it.
static void print_table(const Runs *r, int rows, int columns, const char *const *cells) {
  for (int i = 0; i < rows; i++) {
    for (int k = 0; k < columns; k++) {
      int width = 0;
      for (int j = 0; j < rows; j++) {
        const int own = reg_shown_width(cells[j * columns + k]);
        width = own > width ? own : width;
      }
      if (i == 0 && k == 0 && r->o->out.color) fputs("\033[1m", stdout);
      pad(cells[i * columns + k], k + 1 < columns ? width + 2 : reg_shown_width(cells[i * columns + k]));
    }
    puts(i == 0 && r->o->out.color ? "\033[0m" : "");
  }
}

static void print_json(const Runs *r, const char *run) {
  sqlite3_stmt *s =
      runs_query(r->db, "SELECT json_group_object(name, value) FROM every WHERE run = ?1", &run, 1);
  if (s && sqlite3_step(s) == SQLITE_ROW) puts(column(s, 0));
  sqlite3_finalize(s);
}

static bool is_run(const Runs *r, const char *name) {
  sqlite3_stmt *s = runs_query(r->db, "SELECT 1 FROM runs WHERE name = ?1", &name, 1);
  const bool is = s && sqlite3_step(s) == SQLITE_ROW;
  sqlite3_finalize(s);
  return is;
}

static int no_run(const Runs *r, const char *name) {
  fprintf(stderr, "regc: there is no run `%s` in `%s`\n", name, r->folder);
  return REG_MISSING_INPUT;
}

// -- commands

static int list(const Runs *r) {
  static const char *const usual[] = {"name", "outcome", "finished", "program"};
  Terms terms = {0};
  Names heads = {0};
  if (!take_terms(r, &terms)) return EXIT_USAGE;
  const Names runs = names_of(r, chosen(r, &terms));
  for (int i = 0; i < 4 + terms.len; i++) {
    const char *name = i < 4 ? usual[i] : terms.data[i - 4].name;
    bool there = false;
    for (int k = 0; k < heads.len; k++) there = there || !strcmp(heads.data[k], name);
    if (!there) vec_push(r->a, heads, name);
  }
  const int columns = heads.len;
  const char **cells = ARENA_ARRAY(r->a, const char *, (runs.len + 1) * columns);
  for (int i = 0; i < runs.len && r->o->given[OPT_JSON]; i++) print_json(r, runs.data[i]);
  if (r->o->given[OPT_JSON]) return EXIT_OK;
  for (int i = 0; i <= runs.len; i++)
    for (int k = 0; k < columns; k++)
      cells[i * columns + k] = i ? value_of(r, runs.data[i - 1], heads.data[k]) : heads.data[k];
  print_table(r, runs.len + 1, columns, cells);
  return EXIT_OK;
}

// Names at the side, runs beside each other; `differs`: only where they do.
static int beside(const Runs *r, const Names *runs, bool differs) {
  const Names fields = fields_of(r, runs);
  const int columns = runs->len + 1;
  const char **cells = ARENA_ARRAY(r->a, const char *, (fields.len + 1) * columns);
  int rows = 0;
  for (int i = 0; i < fields.len; i++) {
    const char **row = &cells[rows * columns];
    bool same = true;
    row[0] = fields.data[i];
    for (int k = 0; k < runs->len; k++) {
      row[k + 1] = value_of(r, runs->data[k], fields.data[i]);
      same = same && !strcmp(row[k + 1], row[1]);
    }
    rows += !differs || !same;
  }
  print_table(r, rows, columns, cells);
  return EXIT_OK;
}

static int named(const Runs *r, int least, const char *command, int (*act)(const Runs *, const Names *)) {
  Names runs = {0};
  for (int i = 1; i < r->o->arguments.len; i++) {
    if (!is_run(r, r->o->arguments.data[i])) return no_run(r, r->o->arguments.data[i]);
    vec_push(r->a, runs, r->o->arguments.data[i]);
  }
  if (runs.len < least)
    return usage_error("`regc runs %s` takes %s", command,
                       least > 1 ? "two runs or more" : "a run or several");
  return act(r, &runs);
}

static int show(const Runs *r, const Names *runs) {
  for (int i = 0; i < runs->len; i++) {
    const Names one = {.data = &runs->data[i], .len = 1};
    if (r->o->given[OPT_JSON])
      print_json(r, runs->data[i]);
    else
      beside(r, &one, false);
  }
  return EXIT_OK;
}

static int compare(const Runs *r, const Names *runs) { return beside(r, runs, true); }

static int cannot_remove(const char *path) {
  fprintf(stderr, "regc: `%s` cannot be removed: %s\n", path, strerror(errno));
  return REG_CANNOT_WRITE;
}

// What a run writes are files; a folder in it is somebody else's.
static int delete_one(const Runs *r, const char *name) {
  const char *path = arena_printf(r->a, "%s/%s", r->folder, name);
  const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return cannot_remove(path);
  if (flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    fprintf(stderr, "regc: `%s` is being written to\n", path);
    close(folder);
    return REG_CANNOT_WRITE;
  }
  DIR *d = opendir(path);
  for (struct dirent *entry; d && (entry = readdir(d));)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      unlinkat(folder, entry->d_name, 0);
  if (d) closedir(d);
  close(folder);
  return rmdir(path) == 0 ? EXIT_OK : cannot_remove(path);
}

static int delete(const Runs *r, const Names *runs) {
  int code = EXIT_OK;
  for (int i = 0; i < runs->len && !code; i++) code = delete_one(r, runs->data[i]);
  return code;
}

static int export_csv(const Runs *r) {
  Terms terms = {0};
  Text out = {0};
  reg_status st = {0};
  if (!take_terms(r, &terms)) return EXIT_USAGE;
  const Names runs = names_of(r, chosen(r, &terms)), fields = fields_of(r, &runs);
  for (int i = 0; i <= runs.len; i++) {
    for (int k = 0; k < fields.len; k++) {
      if (k) reg_text_add(&out, ",");
      reg_text_csv(&out, i ? value_of(r, runs.data[i - 1], fields.data[k]) : fields.data[k]);
    }
    reg_text_add(&out, "\n");
  }
  const char *to = r->o->given[OPT_OUTPUT] ? r->o->value[OPT_OUTPUT] : NULL;
  const int code = out.failed ? REG_INTERNAL : to ? reg_file_write(to, out.data, out.used, &st) : EXIT_OK;
  if (code) tell_status(r->o, &st);
  if (!to && !out.failed) fwrite(out.data, 1, out.used, stdout);
  reg_text_free(&out);
  return code;
}

static int command(const Runs *r) {
  const char *what = r->o->arguments.len ? r->o->arguments.data[0] : "list";
  if (!strcmp(what, "list")) return list(r);
  if (!strcmp(what, "show")) return named(r, 1, what, show);
  if (!strcmp(what, "compare")) return named(r, 2, what, compare);
  if (!strcmp(what, "delete")) return named(r, 1, what, delete);
  if (!strcmp(what, "export")) return export_csv(r);
  static const char *const all[] = {"list", "show", "compare", "delete", "export"};
  const char *near = nearest_name(what, all, 5);
  return usage_error(near ? "`regc runs` has no `%s`; did you mean `%s`?"
                          : "`regc runs` has no `%s`: list, show, compare, delete, export",
                     what, near);
}

int cmd_runs(Session *s, const Options *o) {
  Runs r = {.a = s->arena, .o = o, .folder = o->given[OPT_OUT_DIR] ? o->value[OPT_OUT_DIR] : "runs"};
  int code;
  r.db = runs_open(r.a, r.folder, &code);
  if (!r.db) return code;
  code = command(&r);
  sqlite3_close(r.db);
  return code;
}
